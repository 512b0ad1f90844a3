"""A request that the proxy makes itself, with the keys of the one that it serves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from claude_code_proxy.core import sealed_keys, wire
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.server.caller.call import Call
from claude_code_proxy.server.caller.caller_keys import CallerKeys
from claude_code_proxy.server.caller.client_request import ClientRequest
from claude_code_proxy.server.records.exchange_record import record_of, shown_of
from claude_code_proxy.server.routing import Attempt

if TYPE_CHECKING:
    from claude_code_proxy.config.models_yaml.model import ModelConfig
    from claude_code_proxy.server.caller.call import Message
    from claude_code_proxy.server.gateway import Gateway

_KEPT = (
    b"authorization",
    b"x-api-key",
    sealed_keys.HEADER.encode(),
    b"anthropic-version",
    b"x-claude-code-session-id",
)
KIND = "safety_model"


class Serve(Protocol):
    """Serves one attempt at a request (`routes.messages`)."""

    async def __call__(
        self, gateway: Gateway, call: Call, attempt: Attempt, request: ClientRequest, keys: CallerKeys
    ) -> None:
        """Answer through `call`. Raises `ApiError`."""


async def text_of_answer(
    gateway: Gateway, outer: Call, config: ModelConfig, body: dict[str, Any], serve: Serve
) -> str:
    """The text that the model of `config` answers to `body`, a Messages request that is not streamed.

    It is logged, counted and recorded like any other, as `auxiliary`. Raises `ApiError`.
    """
    answer = bytearray()

    async def never() -> Message:
        await asyncio.Event().wait()  # the outer request watches the client
        raise AssertionError

    async def keep(message: Message) -> None:
        answer.extend(message.get("body", b""))

    headers = [(name, value) for name, value in outer.raw_headers if name in _KEPT]
    headers.append((b"x-claude-code-request-class", b"auxiliary"))
    scope = {"method": "POST", "path": "/v1/messages", "query_string": b"", "headers": headers}
    call = Call(scope, never, keep)
    call.is_private, call.session_keys = outer.is_private, outer.session_keys
    call.model, call.rule = config.model_id, KIND
    if call.session_keys is not None:
        call.session_keys.admit(call.headers)
    keys = CallerKeys(call)
    try:
        await keys.use(config)
        request = ClientRequest(wire.dumps(body), body, gateway.tool_cache)
        await serve(gateway, call, Attempt(config, is_last=True), request, keys)
        return _text(bytes(answer), call.status)
    except ApiError as error:
        call.failure, call.error_type = error.message, error.type
        raise
    finally:
        shown = shown_of(call)
        gateway.log.write(call, shown)
        for sink in gateway.sinks:
            sink.add(record_of(call, shown))


def _text(data: bytes, status: int) -> str:
    """The texts of a message. Raises `ApiError` for what is none."""
    try:
        message = wire.loads(data)
    except wire.WireError:
        message = None
    if status != 200 or not isinstance(message, dict):
        raise ApiError(502, "api_error", f"its provider returned {status}")
    content = message.get("content")
    blocks = content if isinstance(content, list) else []
    texts = [block.get("text") for block in blocks if isinstance(block, dict) and block.get("type") == "text"]
    return "\n".join(text for text in texts if isinstance(text, str))
