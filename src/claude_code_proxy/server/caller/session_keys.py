"""The keys of one session, in the session's own server: its client has a token and never sees a key."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, MutableMapping
from hmac import compare_digest

from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.core import sealed_keys
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.credentials.source import Credential, CredentialError, CredentialSource
from claude_code_proxy.server.caller.auth import bearer_token

_FROM_CLIENT = ("authorization", "x-api-key", sealed_keys.HEADER)


class SessionKeys:
    """`sources` by the `api_base` that each is for; `token` is what the session's client sends as its key."""

    def __init__(self, token: str, sources: Mapping[str, CredentialSource]) -> None:
        self._token = token.encode()
        self._sources = sources
        self.ahead = 0.0
        """Seconds by which the clock of who checks signatures is ahead of ours."""
        self._renewing = {api_base: asyncio.Lock() for api_base in sources}

    def admit(self, headers: MutableMapping[str, str]) -> None:
        """Refuse whoever has not the session's token, and take every key out of a request's `headers`.

        What else came as a key is a stranger's, or a settings file's: it goes no further. Raises `ApiError`
        401.
        """
        sent = (bearer_token(headers), headers.get("x-api-key", "").strip())
        if not any(compare_digest(value.encode(), self._token) for value in sent):
            raise _refused("this is the proxy of one session of ccproxy, and answers its own client only")
        for name in _FROM_CLIENT:
            headers.pop(name, None)

    def covers(self, config: ModelConfig) -> bool:
        """Whether there is a key for the upstream of `config`."""
        return config.api_base in self._sources

    async def current(self, config: ModelConfig) -> Credential:
        """What the upstream of `config` is to get. Raises `ApiError`."""
        try:
            return await self._sources[config.api_base].current()
        except CredentialError as error:
            raise _no_credential(error, config) from None

    async def renew(self, config: ModelConfig, refused: str) -> Credential | None:
        """What the upstream of `config` is to get in place of the key that it `refused`.

        None where the source has no other. Requests that are refused together renew once. Raises `ApiError`.
        """
        source = self._sources[config.api_base]
        try:
            async with self._renewing[config.api_base]:
                found = await source.current()
                if found.token == refused:
                    found = await source.renew()
        except CredentialError as error:
            raise _no_credential(error, config) from None
        return None if found.token == refused else found


def _no_credential(error: CredentialError, config: ModelConfig) -> ApiError:
    message = f"{config.model_id}: {error.told}"
    return ApiError(502, "api_error", message) if error.transient else _refused(message)


def _refused(message: str) -> ApiError:
    return ApiError(401, "authentication_error", message, headers={"x-should-retry": "false"})
