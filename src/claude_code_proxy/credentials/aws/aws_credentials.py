"""AWS credentials, found in the order of AWS's own programs, and the two ways to use them with Bedrock.

Written here: variables, files, `credential_process`, containers and EC2. A role, SSO, a web identity and
`aws login` are botocore's, which the extra `[aws]` installs. Source of the order and the answers: botocore.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from claude_code_proxy.credentials.aws.aws_files import AwsFiles
from claude_code_proxy.credentials.aws.sigv4 import bearer_key
from claude_code_proxy.credentials.link_local_http import ask_beside
from claude_code_proxy.credentials.source import (
    Credential,
    CredentialError,
    checked,
    extra_modules,
    object_of,
)

_OPTIONS = re.compile(r"(?:region=(?P<region>[a-z0-9-]+))?\s*(?P<profile>[^\s=]+(?: [^\s=]+)*)?")
_NEEDS_BOTOCORE = ("role_arn", "sso_session", "sso_start_url", "web_identity_token_file", "login_session")
_CONTAINER = "http://169.254.170.2"
_BESIDE = ("127.0.0.1", "localhost", "::1", "169.254.170.2", "169.254.170.23", "fd00:ec2::23")
"""The hosts that may be asked over plain HTTP for a container's credentials, as botocore has it."""
_MACHINE = "http://169.254.169.254"
_PROCESS_SECONDS = 60.0
_LENT = 600.0
"""Seconds for which botocore's credentials are good at least when it hands them out."""
_KEY_SECONDS = 12 * 3600
"""The longest life of a short-lived API key."""
_LOG_IN = "aws configure, or aws sso login"


class _Found(NamedTuple):
    """Credentials from one place. `expires_at` is None where nothing is known of an end."""

    access_key: str
    secret_key: str
    session_token: str = ""
    expires_at: float | None = None


class AwsSignature:
    """`aws:`, with which requests are signed. `aws:PROFILE`, `aws:region=eu-west-1 PROFILE`."""

    def __init__(
        self,
        value: str,
        env: Mapping[str, str],
        *,
        clock: Callable[[], float] = time.time,
        container: str = _CONTAINER,
    ) -> None:
        options = _OPTIONS.fullmatch(value)
        if options is None:
            raise CredentialError("auth_key names no profile", 'write "aws:PROFILE" or "aws:region=REGION"')
        self._env = env
        self._clock = clock
        self._container = container
        self._files = AwsFiles(env)
        self._own_profile = options["profile"] or ""
        self._region = options["region"] or ""
        self._session: Any = None  # botocore's

    def stamp(self) -> object:
        """What `stat` says of the files."""
        return self._files.stamp()

    def fetch(self, refused: Credential | None = None) -> Credential:
        """Credentials that sign. Raises `CredentialError`."""
        signing, expires_at = self.signing(refused)
        # No token is sent; the id of the key stands for it where two are compared.
        return Credential(signing["access_key"], expires_at, signing=signing)

    def signing(self, refused: Credential | None = None) -> tuple[dict[str, str], float | None]:
        """What `sigv4` signs with, and until when it is good. Raises `CredentialError`."""
        if refused is not None:
            self._session = None  # which keeps what was refused
        name = self._own_profile or self._env.get("AWS_PROFILE") or "default"
        profile = self._files.profile(name)
        if profile is None and name != "default":
            raise CredentialError(f"AWS has no profile {name}", f"aws configure --profile {name}")
        found = self._found(name, profile or {})
        checked(found.access_key)
        region = self._region or self._env.get("AWS_REGION") or self._env.get("AWS_DEFAULT_REGION")
        signing = {
            "access_key": found.access_key,
            "secret_key": found.secret_key,
            "session_token": found.session_token,
            "region": region or (profile or {}).get("region", ""),
        }
        return signing, found.expires_at

    def _found(self, name: str, profile: Mapping[str, str]) -> _Found:
        env = self._env
        if not self._own_profile and env.get("AWS_ACCESS_KEY_ID") and env.get("AWS_SECRET_ACCESS_KEY"):
            return _Found(
                env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env.get("AWS_SESSION_TOKEN", "")
            )
        is_identity = not self._own_profile and env.get("AWS_WEB_IDENTITY_TOKEN_FILE")
        if is_identity or any(key in profile for key in _NEEDS_BOTOCORE):
            return self._from_botocore()
        if profile.get("aws_access_key_id") and profile.get("aws_secret_access_key"):
            token = profile.get("aws_session_token") or profile.get("aws_security_token") or ""
            return _Found(profile["aws_access_key_id"], profile["aws_secret_access_key"], token)
        if command := profile.get("credential_process"):
            return _from_process(command, env)
        found = self._from_container() or self._from_machine()
        if found is None:
            raise CredentialError(f"AWS has no credentials in the profile {name}", _LOG_IN)
        return found

    def _from_botocore(self) -> _Found:
        what = "a role, SSO or a web identity of AWS needs botocore"
        names = ("botocore.session", "botocore.exceptions", "botocore.parsers")
        botocore, exceptions, parsers = extra_modules("aws", what, *names)
        try:
            self._session = self._session or botocore.Session(profile=self._own_profile or None)
            held = self._session.get_credentials()
            keys = held and held.get_frozen_credentials()
        except exceptions.BotoCoreError as error:
            passes = isinstance(error, exceptions.HTTPClientError)
            raise CredentialError(f"AWS: {error}", _LOG_IN, transient=passes) from None
        except parsers.ResponseParserError:  # its words quote the answer
            raise CredentialError("AWS's answer cannot be read", transient=True) from None
        except exceptions.ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            raise CredentialError(f"AWS: {error}", _LOG_IN, transient=status >= 500) from None
        if not keys:
            raise CredentialError("AWS has no credentials in this profile", _LOG_IN)
        return _Found(keys.access_key, keys.secret_key, keys.token or "", self._clock() + _LENT)

    def _from_container(self) -> _Found | None:
        """ECS and EKS tell each container where its credentials are."""
        env = self._env
        url = env.get("AWS_CONTAINER_CREDENTIALS_FULL_URI", "")
        if relative := env.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
            url = self._container + relative
        if not url:
            return None
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in _BESIDE:
            raise CredentialError("AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor on this machine")
        token = env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
        if path := env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
            try:
                token = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError):
                raise CredentialError(f"{path} cannot be read") from None
        headers = {"Authorization": checked(token)} if token else {}
        told = ask_beside(url, headers, seconds=2.0, service="the container's credentials")
        if told is None or told.status != 200:
            status = "nothing" if told is None else told.status
            raise CredentialError(
                f"the container's credentials: {status} at {parts.hostname}", transient=True
            )
        return _read(told.body, "the container's credentials", "Token")

    def _from_machine(self) -> _Found | None:
        """The role of an EC2 machine, by the second version of its metadata service."""
        env = self._env
        if env.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
            return None
        base = (env.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or _MACHINE).rstrip("/") + "/latest"
        service = "the machine's metadata"
        ttl = {"x-aws-ec2-metadata-token-ttl-seconds": "21600"}
        told = ask_beside(f"{base}/api/token", ttl, method="PUT", service=service)
        if told is None or told.status != 200:
            return None
        headers = {"x-aws-ec2-metadata-token": checked(told.raw.strip())}
        roles = f"{base}/meta-data/iam/security-credentials/"
        told = ask_beside(roles, headers, service=service)
        if told is None or told.status != 200 or not (lines := told.raw.split()):
            return None
        told = ask_beside(roles + lines[0], headers, service=service)
        return _read(told.body if told else {}, service, "Token")


class BedrockKey:
    """`bedrock:`, an API key: the one of the variable, else a short-lived one, made without asking anybody.

    `bedrock:PROFILE` and `bedrock:region=eu-west-1 PROFILE` make one in any case.
    """

    def __init__(self, value: str, env: Mapping[str, str], *, clock: Callable[[], float] = time.time) -> None:
        self._aws = AwsSignature(value, env, clock=clock)
        self._given = "" if value else env.get("AWS_BEARER_TOKEN_BEDROCK", "").strip()
        self._clock = clock

    def stamp(self) -> object:
        """What `stat` says of AWS's files."""
        return self._aws.stamp()

    def fetch(self, refused: Credential | None = None) -> Credential:
        """The key. Raises `CredentialError`."""
        if self._given:
            return Credential(checked(self._given))
        signing, expires_at = self._aws.signing(refused)
        if not signing["region"]:
            raise CredentialError("a key of Bedrock is made for one region", "export AWS_REGION=us-east-1")
        now = self._clock()
        left = _KEY_SECONDS if expires_at is None else min(_KEY_SECONDS, int(expires_at - now))
        if left <= 0:
            raise CredentialError("the credentials of AWS have expired", _LOG_IN)
        return Credential(checked(bearer_key(signing, left, now)), now + left)


def _from_process(command: str, env: Mapping[str, str]) -> _Found:
    """What the program of a profile prints; it is split as a shell would, but run without one."""
    import shlex
    import subprocess

    try:
        ran = subprocess.run(  # noqa: S603 - the user's own program, from the user's own file
            shlex.split(command), env=dict(env), capture_output=True, timeout=_PROCESS_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        hint = "run it by hand"
        raise CredentialError(f"credential_process did not finish in {_PROCESS_SECONDS:g} s", hint) from None
    except (OSError, ValueError) as error:
        raise CredentialError(f"credential_process cannot be run: {error}") from None
    if ran.returncode != 0:
        raise CredentialError(f"credential_process failed with exit code {ran.returncode}", "run it by hand")
    fields = object_of(ran.stdout)
    if fields.get("Version") != 1:
        raise CredentialError("credential_process printed no credentials of version 1", "run it by hand")
    return _read(fields, "credential_process", "SessionToken")


def _read(fields: Mapping[str, Any], place: str, token: str) -> _Found:
    """The credentials of an answer; `token` is its name for the session's token. Raises `CredentialError`."""
    access, secret, session = (fields.get(key) or "" for key in ("AccessKeyId", "SecretAccessKey", token))
    if not (isinstance(access, str) and isinstance(secret, str) and isinstance(session, str)):
        access = ""
    if not (access and secret):
        raise CredentialError(f"{place} gave no credentials", transient=True)
    end = fields.get("Expiration")
    try:
        expires_at = datetime.fromisoformat(end).timestamp() if isinstance(end, str) and end else None
    except ValueError:
        raise CredentialError(f"{place} gave no date of expiry that can be read", transient=True) from None
    return _Found(access, secret, session, expires_at)
