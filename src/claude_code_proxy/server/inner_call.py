"""A request that the proxy makes itself, with the keys of the one that it serves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.core import sealed_keys, wire
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.server.caller.call import Call, Message
from claude_code_proxy.server.caller.caller_keys import CallerKeys
from claude_code_proxy.server.gateway import Gateway
from claude_code_proxy.server.records.exchange_record import record_of, shown_of

_KEPT = (
    b"authorization",
    b"x-api-key",
    sealed_keys.HEADER.encode(),
    b"anthropic-version",
    b"x-claude-code-session-id",
)


async def inner_call(
    gateway: Gateway,
    outer: Call,
    config: ModelConfig,
    request_class: str,
    serve: Callable[[Call, CallerKeys], Awaitable[None]],
    rule: str = "",
) -> dict[str, Any]:
    """The message with which `serve` answers the call that it gets, to the model of `config`; not streamed.

    It is logged, counted and recorded like any other, as of the `request_class`. Raises `ApiError`.
    """
    answer = bytearray()

    async def never() -> Message:
        await asyncio.Event().wait()  # the outer request watches the client
        raise AssertionError

    async def keep(message: Message) -> None:
        answer.extend(message.get("body", b""))

    headers = [(name, value) for name, value in outer.raw_headers if name in _KEPT]
    headers.append((b"x-claude-code-request-class", request_class.encode()))
    scope = {"method": "POST", "path": "/v1/messages", "query_string": b"", "headers": headers}
    call = Call(scope, never, keep)
    call.is_private, call.session_keys = outer.is_private, outer.session_keys
    call.model, call.rule = config.model_id, rule
    if call.session_keys is not None:
        call.session_keys.admit(call.headers)
    keys = CallerKeys(call)
    try:
        await keys.use(config)
        await serve(call, keys)
        return _message(bytes(answer), call.status)
    except ApiError as error:
        call.failure, call.error_type = error.message, error.type
        raise
    finally:
        shown = shown_of(call)
        gateway.log.write(call, shown)
        for sink in gateway.sinks:
            sink.add(record_of(call, shown))


def _message(data: bytes, status: int) -> dict[str, Any]:
    """A whole answer's message. Raises `ApiError` for what is none."""
    try:
        message = wire.loads_bounded(data)
    except wire.WireError:
        message = None
    if status != 200 or not isinstance(message, dict):
        raise ApiError(502, "api_error", f"its provider returned {status}")
    return message
