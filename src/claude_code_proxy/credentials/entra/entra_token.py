"""Tokens of Microsoft Entra, for Azure OpenAI and Foundry.

Written here: an application's secret, a workload's own token, a managed identity, and the Azure CLI. An
application's certificate is azure-identity's, which the extra `[azure]` installs. Source of the variables and
the answers: azure-identity.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from claude_code_proxy.credentials.issuer_http import Reply, ask
from claude_code_proxy.credentials.key_file import file_stamp
from claude_code_proxy.credentials.link_local_http import ask_beside
from claude_code_proxy.credentials.source import (
    Credential,
    CredentialError,
    checked,
    extra_modules,
    object_of,
)

_SCOPE = "https://ai.azure.com/.default"
_AUTHORITY = "https://login.microsoftonline.com"
_MACHINE = "http://169.254.169.254"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_CLI_SECONDS = 30.0
_LOG_IN = "az login"


class EntraToken:
    """`entra:`, or `entra:SCOPE` for another one than Foundry's and Azure OpenAI's."""

    def __init__(
        self,
        value: str,
        env: Mapping[str, str],
        *,
        machine: str = _MACHINE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        scope = value or _SCOPE
        if not scope.startswith(("https://", "api://")) or len(scope.split()) != 1:
            raise CredentialError("auth_key names no scope", f'write "entra:" or "entra:{_SCOPE}"')
        self._scope = scope if scope.endswith("/.default") else f"{scope.rstrip('/')}/.default"
        self._env = env
        self._machine = machine
        self._clock = clock

    def stamp(self) -> object:
        """What `stat` says of the workload's token, which is replaced now and then."""
        path = self._env.get("AZURE_FEDERATED_TOKEN_FILE")
        return file_stamp(Path(path)) if path else None

    def fetch(self, refused: Credential | None = None) -> Credential:  # noqa: ARG002 - always a new one
        """A token. Raises `CredentialError`."""
        env = self._env
        if env.get("AZURE_TENANT_ID") and env.get("AZURE_CLIENT_ID"):
            if secret := env.get("AZURE_CLIENT_SECRET"):
                return self._granted({"client_secret": secret}, "AZURE_CLIENT_SECRET")
            if path := env.get("AZURE_CLIENT_CERTIFICATE_PATH"):
                return self._of_certificate(path)
            if path := env.get("AZURE_FEDERATED_TOKEN_FILE"):
                try:
                    assertion = Path(path).read_text(encoding="utf-8").strip()
                except (OSError, UnicodeDecodeError):
                    raise CredentialError(f"{path} cannot be read") from None
                proof = {"client_assertion_type": _ASSERTION, "client_assertion": assertion}
                return self._granted(proof, "AZURE_FEDERATED_TOKEN_FILE")
        if env.get("IDENTITY_ENDPOINT") and env.get("IDENTITY_HEADER"):
            url = self._identity_url(env["IDENTITY_ENDPOINT"], "2019-08-01")
            headers = {"X-IDENTITY-HEADER": env["IDENTITY_HEADER"]}
            found = self._managed(ask_beside(url, headers, seconds=10.0, service="the managed identity"))
            if found is None:
                raise CredentialError("the managed identity does not answer", transient=True)
            return found
        found = self._of_cli()
        if found is None:
            url = self._identity_url(f"{self._machine}/metadata/identity/oauth2/token", "2018-02-01")
            told = ask_beside(url, {"Metadata": "true"}, service="the managed identity")
            found = self._managed(told)
        if found is None:
            raise CredentialError(
                "there is no login at Microsoft Entra", f"{_LOG_IN}, or set AZURE_CLIENT_ID"
            )
        return found

    def _granted(self, proof: Mapping[str, str], variable: str) -> Credential:
        """A token for an application that proves itself (RFC 6749 4.4)."""
        env = self._env
        authority = (env.get("AZURE_AUTHORITY_HOST") or _AUTHORITY).rstrip("/")
        authority = authority if "://" in authority else f"https://{authority}"
        form = {"grant_type": "client_credentials", "client_id": env["AZURE_CLIENT_ID"], "scope": self._scope}
        began = self._clock()
        tenant = quote(env["AZURE_TENANT_ID"], safe="")
        reply = ask(f"{authority}/{tenant}/oauth2/v2.0/token", as_form={**form, **proof}, issuer="Entra")
        if reply.status != 200:
            lines = reply.text("error_description").splitlines() or [reply.text("error")]
            words = lines[0] or f"it answered {reply.status}"
            passes = reply.text("error") == "temporarily_unavailable"
            raise CredentialError(f"Entra: {words}", f"look at {variable}", transient=passes)
        return _credential(reply.text("access_token"), began, reply.number("expires_in"))

    def _of_certificate(self, path: str) -> Credential:
        env = self._env
        what = "a certificate of Entra needs azure-identity"
        identity, exceptions = extra_modules("azure", what, "azure.identity", "azure.core.exceptions")
        try:
            held = identity.CertificateCredential(
                env["AZURE_TENANT_ID"],
                env["AZURE_CLIENT_ID"],
                path,
                password=env.get("AZURE_CLIENT_CERTIFICATE_PASSWORD"),
                authority=env.get("AZURE_AUTHORITY_HOST") or _AUTHORITY,
            )
            with held:
                token = held.get_token(self._scope)
        except exceptions.ClientAuthenticationError as error:
            lines = str(error.message).splitlines() or [""]
            raise CredentialError(f"Entra: {lines[0]}", f"look at {path}") from None
        except exceptions.AzureError:
            raise CredentialError("Entra cannot be reached", transient=True) from None
        except (OSError, ValueError) as error:
            words = error.strerror if isinstance(error, OSError) else "it is no certificate with its key"
            raise CredentialError(f"{path}: {words}") from None
        return Credential(checked(token.token), float(token.expires_on))

    def _identity_url(self, endpoint: str, version: str) -> str:
        resource = quote(self._scope.removesuffix("/.default"), safe="")
        client = self._env.get("AZURE_CLIENT_ID", "")
        mine = f"&client_id={quote(client, safe='')}" if client else ""
        return f"{endpoint}?api-version={version}&resource={resource}{mine}"

    def _managed(self, told: Reply | None) -> Credential | None:
        """The token of a managed identity; None where there is none."""
        if told is None or told.status in (400, 404):  # 400: the machine has no identity
            return None
        if told.status != 200:
            passes = told.status in (410, 429) or told.status >= 500
            raise CredentialError(f"the managed identity answered {told.status}", transient=passes)
        life, end = told.number("expires_in"), told.number("expires_on")
        now = self._clock()
        return _credential(told.text("access_token"), now, end - now if life is None and end else life)

    def _of_cli(self) -> Credential | None:
        """The token of whoever is logged in with the Azure CLI; None where nobody is."""
        import shutil
        import subprocess

        program = shutil.which("az", path=self._env.get("PATH"))
        if program is None:
            return None
        resource = self._scope.removesuffix("/.default")
        command = [program, "account", "get-access-token", "--output", "json", "--resource", resource]
        try:
            ran = subprocess.run(  # noqa: S603 - the user's own Azure CLI
                command, env=dict(self._env), capture_output=True, timeout=_CLI_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise CredentialError(f"az did not finish within {_CLI_SECONDS:g} s", transient=True) from None
        except OSError as error:
            raise CredentialError(f"az cannot be run: {error.strerror or error}") from None
        if ran.returncode != 0:
            said = ran.stderr.decode("utf-8", "replace").strip()
            if "az login" in said and "AADSTS" not in said:
                return None
            words = said.splitlines()[0] if said else f"exit code {ran.returncode}"
            raise CredentialError(f"az: {words}", _LOG_IN)
        reply = Reply(200, object_of(ran.stdout))
        now = self._clock()
        end = reply.number("expires_on") or _local_time(reply.text("expiresOn"))
        return _credential(reply.text("accessToken"), now, end - now if end else None)


def _credential(token: str, began: float, life: float | None) -> Credential:
    if not token or not life:
        raise CredentialError("Entra's answer has no token", transient=True)
    return Credential(checked(token), began + life)


def _local_time(text: str) -> float | None:
    """`expiresOn` of older versions of the Azure CLI, in Unix seconds."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None
