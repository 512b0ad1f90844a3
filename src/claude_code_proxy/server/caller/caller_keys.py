"""Which key of the caller goes to which upstream, and that none goes to another."""

from __future__ import annotations

from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.core import sealed_keys
from claude_code_proxy.core.errors.api import ApiError, invalid_request
from claude_code_proxy.server.caller.auth import extract_api_key
from claude_code_proxy.server.caller.call import Call


class CallerKeys:
    """The keys of one request: one for whatever model is asked, some sealed to addresses, or the session's.

    Raises `ApiError` 401 when there is none, 400 when the header of sealed keys cannot be read.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._sealed: dict[str, str] | None = None
        if call.session_keys is not None:
            return
        header = call.headers.get(sealed_keys.HEADER)
        if header is None:
            call.key = extract_api_key(call.headers)
            return
        try:
            self._sealed = sealed_keys.unseal(header)
        except ValueError as error:
            raise invalid_request(f"{sealed_keys.HEADER}: {error}") from None
        # What stands beside sealed keys is a placeholder, or a stranger's: it must reach no upstream.
        for name in (sealed_keys.HEADER, "authorization", "x-api-key"):
            call.headers.pop(name, None)

    def covers(self, config: ModelConfig) -> bool:
        """Whether there is a key for the upstream of `config`."""
        if self._call.session_keys is not None:
            return self._call.session_keys.covers(config)
        return self._sealed is None or config.api_base in self._sealed

    def may_follow(self, config: ModelConfig, asked: ModelConfig) -> bool:
        """Whether `config` may answer for `asked`: an unsealed key was meant for the latter's address."""
        unsealed = self._sealed is None and self._call.session_keys is None
        if unsealed and config.api_base != asked.api_base:
            return False
        return self.covers(config)

    async def use(self, config: ModelConfig) -> None:
        """Make the key for the upstream of `config` the call's own, as if only that had come.

        Raises `ApiError`: 401 when none of them is for exactly this address, or can be had.
        """
        call = self._call
        if self._sealed is None and call.session_keys is None:
            return  # it is the call's own already
        if not self.covers(config):
            raise ApiError(
                401,
                "authentication_error",
                f"no key of this session is for the upstream of {config.model_id}; start a session that has "
                "it (ccproxy: name it as PROVIDER/MODEL in cc-proxy.json)",
                headers={"x-should-retry": "false"},
            )
        if call.session_keys is not None:
            credential = await call.session_keys.current(config)
            call.use_key(config, credential.token, credential)
        elif self._sealed is not None:
            call.use_key(config, self._sealed[config.api_base])
