"""A client's request: its bytes, and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.core import wire
from claude_code_proxy.core.errors.api import invalid_request
from claude_code_proxy.core.request.tool_cache import ToolCache
from claude_code_proxy.server.caller.admission import Admission
from claude_code_proxy.server.caller.body import parse_object, parse_within_limits, read_body, shown
from claude_code_proxy.server.caller.call import Call
from claude_code_proxy.server.offload import offload


class ClientRequest:
    """A request's body. `raw` are its bytes, `model` is the model that it names.

    Parsed it takes ten times its length, so nobody keeps it: whoever converts it takes it, changes it as they
    like and forgets it.
    """

    def __init__(self, raw: bytes, body: dict[str, Any], tool_cache: ToolCache) -> None:
        self.raw = raw
        self.model = _model_of(body)
        self._body: dict[str, Any] | None = body
        self._tool_cache = tool_cache

    @classmethod
    async def read(
        cls, call: Call, settings: ServerSettings, admission: Admission, tool_cache: ToolCache
    ) -> ClientRequest:
        """Read and parse the body of `call`, within the limits of `settings`.

        Raises `ApiError` 400, 408, 413, 415, 529 and `ClientGoneError`.
        """
        raw = await read_body(call, settings, admission)
        return cls(raw, await offload(len(raw), parse_within_limits, raw, tool_cache, settings), tool_cache)

    @property
    def body(self) -> Mapping[str, Any]:
        """The parsed body, to be looked at before it is taken."""
        return self._body or {}

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return len(self.raw)

    def fields(self) -> dict[str, wire.Raw]:
        """The bytes of each of its fields; {} where they are not sure."""
        return self._tool_cache.fields(self.raw) or {}

    async def take(self) -> dict[str, Any]:
        """The parsed body, which is the caller's own from now on; parsed again when it is taken again.

        Its `tools` may be shared with other requests and are not to be changed.
        """
        body, self._body = self._body, None
        return (
            body if body is not None else await offload(self.size, parse_object, self.raw, self._tool_cache)
        )


def _model_of(body: dict[str, Any]) -> str:
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise invalid_request(f"model: must be a model id, not {shown(model)}")
    return model
