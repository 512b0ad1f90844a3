"""GitHub Copilot: a GitHub token, exchanged for a short one where its kind needs that.

What is known of it is from other programs: a `ghu_` token (of an editor's app) is exchanged and refused as it
is, a `gho_` or `github_pat_` token is used as it is and refused by the exchange. Where a refusal says
otherwise, the other way is taken. No editor is impersonated: requests name this program.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from claude_code_proxy import __version__

from . import device_flow
from .account import Account
from .github_tokens import Found, find_tokens
from .issuer_http import Reply, ask
from .key_file import file_stamp
from .source import Credential, CredentialError, checked
from .stored_file import locked, write_object

_API_VERSION = "2025-04-01"
_HOST = "githubcopilot.com"
_RUN = "ccproxy login copilot"
_LEAST_LIFE = 60.0
"""Seconds that are added to the time after which GitHub says to refresh, as its own editor does."""


class CopilotLogin:
    """The GitHub login of this user, wherever it is kept."""

    TERMS = (
        "GitHub supports Copilot in its own programs and in apps registered with it; it has suspended "
        'accounts for "unsupported clients". Whether your plan allows this use is between GitHub and you.'
    )
    MODELS = "copilot"

    def __init__(
        self,
        env: Mapping[str, str],
        *,
        github: str = "https://github.com",
        api: str = "https://api.github.com",
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        seconds: float = 15.0,
    ) -> None:
        self._env = env
        self._github = github
        self._api = api
        self._clock = clock
        self._sleep = sleep
        self._seconds = seconds
        self._refused = ""
        """A GitHub token that Copilot did not take as it is."""
        state = env.get("XDG_STATE_HOME") or Path(env.get("HOME") or Path.home(), ".local", "state")
        self._own = Path(state, "claude-code-proxy", "logins", "copilot.json")

    def stamp(self) -> object:
        """What `stat` says of the login of our own, which `ccproxy login` may write at any time."""
        return file_stamp(self._own)

    def fetch(self, refused: Credential | None = None) -> Credential:
        """A token that Copilot takes, good for half an hour or for long. Raises `CredentialError`."""
        found = self._found()
        if refused is not None and refused.token == found.token:
            self._refused = found.token
        if found.token.startswith("ghu_") or found.token == self._refused:
            exchanged = self._exchanged(found)
            if exchanged is not None:
                return exchanged
        return Credential(checked(found.token), None, base_url=self._base(self._user(found)))

    def account(self) -> Account:
        """Who is logged in, from GitHub. Raises `CredentialError`."""
        found = self._found()
        reply = self._user(found)
        if reply.status == 401:
            raise self._dead(found)
        told = []
        if plan := reply.text("copilot_plan"):
            told.append(f"plan {plan}")
        if day := reply.text("quota_reset_date"):
            told.append(f"quota until {day}")
        return Account(who=reply.text("login"), place=found.place, renews=True, told=", ".join(told))

    def log_in(self, options: Mapping[str, str], tell: Callable[[str], None]) -> None:
        """Use the login that is there, else a device flow for the app that `--client-id` names.

        Raises `CredentialError`.
        """
        client = options.get("--client-id", "")
        if not client:
            self._found()
            return
        app = device_flow.DeviceApp(self._github, client, "read:user", f"{_RUN} --client-id {client}")
        token = device_flow.log_in(app, tell, self._sleep)
        with locked(self._own):
            write_object(self._own, {"oauth_token": token, "client_id": client})

    def log_out(self) -> str:
        """Forget the token of the device flow."""
        if self._own.exists():
            self._own.unlink(missing_ok=True)
            with suppress(OSError):
                self._own.with_name(f"{self._own.name}.lock").unlink()
            return "forgotten here; to revoke it: https://github.com/settings/applications"
        return "nothing is stored here; the login is GitHub's own: gh auth logout"

    def _found(self) -> Found:
        for found in find_tokens(self._env, self._own):
            return found
        hint = f"gh auth login, or {_RUN} --client-id ID_OF_YOUR_GITHUB_APP"
        raise CredentialError("there is no GitHub login for Copilot", hint)

    def _headers(self, found: Found, scheme: str = "token") -> dict[str, str]:
        return {
            "Authorization": f"{scheme} {found.token}",
            "User-Agent": f"claude-code-proxy/{__version__}",
            "X-GitHub-Api-Version": _API_VERSION,
        }

    def _exchanged(self, found: Found) -> Credential | None:
        """The short token; None where GitHub has none for a token of this kind."""
        url = f"{self._api}/copilot_internal/v2/token"
        reply = ask(url, headers=self._headers(found), seconds=self._seconds, issuer="GitHub")
        if reply.status == 200 and (token := reply.text("token")):
            # The time to refresh in is the same by every clock; when the token ends is not.
            life = max(reply.number("refresh_in") or 0.0, _LEAST_LIFE) + _LEAST_LIFE
            return Credential(checked(token), self._clock() + life, base_url=self._base(reply))
        if reply.status == 401:
            raise self._dead(found)
        if reply.status == 404 or (reply.status == 403 and not found.token.startswith("ghu_")):
            return None
        if reply.status == 403 and "rate limit" in reply.text("message").lower():
            raise CredentialError("GitHub limits the rate of requests", "try again later", transient=True)
        told = (
            reply.text("error_details", "message") or reply.text("message") or f"it answered {reply.status}"
        )
        page = reply.text("error_details", "url")
        hint = f"see {page}" if page.startswith("https://") else f"{_RUN}, with an account that has Copilot"
        raise CredentialError(f"GitHub gives no Copilot token: {told}", hint)

    def _user(self, found: Found) -> Reply:
        """What GitHub says of the user; it is not needed, so what fails is an empty answer."""
        url = f"{self._api}/copilot_internal/user"
        try:
            return ask(url, headers=self._headers(found), seconds=self._seconds, issuer="GitHub")
        except CredentialError:
            return Reply(503, {})

    def _base(self, reply: Reply) -> str:
        """The address of the user's plan, if it is one of GitHub's; "" where it tells none."""
        base = reply.text("endpoints", "api")
        try:
            parts = urlsplit(base)
        except ValueError:
            return ""
        host = parts.hostname or ""
        is_theirs = host == _HOST or host.endswith(f".{_HOST}")
        return base.rstrip("/") if parts.scheme == "https" and is_theirs else ""

    def _dead(self, found: Found) -> CredentialError:
        place = found.place
        hint = "gh auth login" if place.startswith("gh ") else f"{_RUN}, or a new token in its place"
        return CredentialError(f"GitHub no longer accepts the token of {place}", hint)
