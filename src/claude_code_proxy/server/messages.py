"""`POST /v1/messages`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import converted, native
from .auth import extract_api_key
from .body import model_of, parse_object, read_body
from .offload import offload
from .stats import add_session_stats

if TYPE_CHECKING:
    from claude_code_proxy.config.model import ModelConfig

    from .call import Call
    from .gateway import Gateway


async def messages(gateway: Gateway, call: Call) -> None:
    """Answer a Messages request with the model it names. Raises `ApiError`."""
    call.key = extract_api_key(call.headers)
    raw, request, config = await read_request(gateway, call)
    try:
        if config.format == "anthropic":
            await native.serve(gateway, call, config, raw, request)
        else:
            await converted.serve(gateway, call, config, request, len(raw))
    finally:
        add_session_stats(gateway.stats, config.model_id, call.usage)


async def read_request(gateway: Gateway, call: Call) -> tuple[bytes, dict[str, Any], ModelConfig]:
    """A request's body, raw and parsed, and the model that it names. Raises `ApiError` 400, 404, 413."""
    raw = await read_body(call, gateway.settings.max_body_bytes)
    request = await offload(len(raw), parse_object, raw)
    call.model = model_of(request)
    return raw, request, gateway.upstreams.resolve(call.model)
