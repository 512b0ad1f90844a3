"""Google's application default credentials: access tokens for Vertex AI.

Written here: a user's own (`gcloud auth application-default login`) and a machine's. A service account's,
which are signed with RS256, and two other kinds are google-auth's, which the extra `[gcp]` installs. The
order and the answers are those of google-auth.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import Any

from claude_code_proxy.credentials.issuer_http import ask
from claude_code_proxy.credentials.key_file import file_stamp
from claude_code_proxy.credentials.link_local_http import ask_beside
from claude_code_proxy.credentials.source import Credential, CredentialError, checked, extra_modules
from claude_code_proxy.credentials.stored_file import read_object

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
_MACHINE = "metadata.google.internal"
_FILE = "application_default_credentials.json"
_LOG_IN = "gcloud auth application-default login"
_PASSING = ("internal_failure", "server_error", "temporarily_unavailable")
_SECONDS = 15.0
_LIBRARY = {
    "service_account": ("google.oauth2.service_account", "from_service_account_info"),
    "impersonated_service_account": (
        "google.auth.impersonated_credentials",
        "from_impersonated_service_account_info",
    ),
    "external_account": ("google.auth.identity_pool", "from_info"),
}
"""The module and the maker of google-auth for each kind. Kinds that would run a program are not here."""
_COMMAND = 'auth_key: "cmd:ttl=50m gcloud auth application-default print-access-token"'


class ApplicationDefault:
    """`google:`, found in Google's own order, or `google:/PATH` to a file of credentials."""

    def __init__(
        self,
        value: str,
        env: Mapping[str, str],
        *,
        token_url: str = _TOKEN_URL,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if value and not (value.startswith("~/") or Path(value).is_absolute()):
            raise CredentialError("auth_key names no file", 'write "google:" or "google:/PATH"')
        self._env = env
        self._token_url = token_url
        self._clock = clock
        home = env.get("HOME") or str(Path.home())
        named = value or env.get("GOOGLE_APPLICATION_CREDENTIALS", "")
        self._named = Path(home, named[2:]) if named.startswith("~/") else Path(named) if named else None
        if folder := env.get("CLOUDSDK_CONFIG"):
            self._usual = Path(folder, _FILE)
        elif appdata := env.get("APPDATA"):
            self._usual = Path(appdata, "gcloud", _FILE)
        else:
            self._usual = Path(home, ".config", "gcloud", _FILE)

    def stamp(self) -> object:
        """What `stat` says of the file."""
        return file_stamp(self._named or self._usual)

    def fetch(self, refused: Credential | None = None) -> Credential:  # noqa: ARG002 - always a new one
        """An access token. Raises `CredentialError`."""
        path = self._named or self._usual
        info = read_object(path)
        if info is None:
            if self._named is not None:
                raise CredentialError(f"{path}: there is no such file", _LOG_IN)
            return self._of_machine()
        project = self._env.get("GOOGLE_CLOUD_QUOTA_PROJECT") or info.get("quota_project_id")
        headers = {"x-goog-user-project": project} if isinstance(project, str) and project else {}
        if info.get("type") != "authorized_user":
            return self._of_library(path, info, headers)
        form = {"grant_type": "refresh_token"}
        for name in ("client_id", "client_secret", "refresh_token"):
            form[name] = str(info.get(name) or "")
        if not all(form.values()):
            raise CredentialError(f"{path} lacks a part of the login", _LOG_IN)
        began = self._clock()
        reply = ask(self._token_url, as_form=form, seconds=_SECONDS, issuer="Google")
        if reply.status != 200:
            raise _refused(reply.text("error"), reply.text("error_subtype"), reply.text("error_description"))
        return _credential(reply.text("access_token"), reply.number("expires_in"), began, headers)

    def _of_machine(self) -> Credential:
        """The token of the service account of a machine in Google's cloud."""
        host = self._env.get("GCE_METADATA_HOST") or self._env.get("GCE_METADATA_ROOT") or _MACHINE
        url = f"http://{host}/computeMetadata/v1/instance/service-accounts/default/token?scopes={_SCOPE}"
        began = self._clock()
        told = None
        if self._env.get("NO_GCE_CHECK", "").lower() != "true":
            told = ask_beside(url, {"Metadata-Flavor": "Google"}, seconds=3.0, service="Google's metadata")
        if told is None:
            raise CredentialError("there are no application default credentials of Google", _LOG_IN)
        if told.status != 200:
            passes = told.status >= 500 or told.status == 429
            raise CredentialError(f"Google's metadata answered {told.status}", _LOG_IN, transient=passes)
        return _credential(told.text("access_token"), told.number("expires_in"), began, {})

    def _of_library(self, path: Path, info: dict[str, Any], headers: dict[str, str]) -> Credential:
        """The token of any other kind of credentials."""
        kind = str(info.get("type"))
        if kind not in _LIBRARY:
            raise CredentialError(f"{path}: credentials of the kind {kind} are not supported", _COMMAND)
        name, maker = _LIBRARY[kind]
        what = f"{path}: credentials of this kind need google-auth"
        names = (name, "google.auth.exceptions", "google.auth.transport.requests")
        own, exceptions, requests = extra_modules("gcp", what, *names)
        try:
            held = getattr(own.Credentials, maker)(info, scopes=[_SCOPE])
            held.refresh(partial(requests.Request(), timeout=_SECONDS))
        except exceptions.GoogleAuthError as error:
            passes = isinstance(error, exceptions.TransportError) or bool(getattr(error, "retryable", False))
            words = error.args[0] if error.args else type(error).__name__
            raise CredentialError(f"Google: {words}", f"look at {path}", transient=passes) from None
        except (ValueError, KeyError, TypeError) as error:  # what is wrong with a file comes as any of them
            raise CredentialError(f"{path}: google-auth cannot use it ({type(error).__name__})") from None
        end = held.expiry and held.expiry.replace(tzinfo=UTC).timestamp()
        return Credential(checked(str(held.token or "")), end, headers)


def _refused(error: str, subtype: str, description: str) -> CredentialError:
    if error in _PASSING:
        return CredentialError(f"Google: {error}", transient=True)
    words = ": ".join(part for part in (error or "the login was refused", description or subtype) if part)
    return CredentialError(f"Google: {words}", _LOG_IN)


def _credential(token: str, life: float | None, began: float, headers: dict[str, str]) -> Credential:
    if not token or not life or life <= 0:
        raise CredentialError("Google's answer has no token", transient=True)
    return Credential(checked(token), began + life, headers)
