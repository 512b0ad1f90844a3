"""`POST /v1/messages`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from claude_code_proxy.core.errors.api import ApiError, let_go
from claude_code_proxy.server import search_service
from claude_code_proxy.server.caller.body import model_of, parse_object, read_body
from claude_code_proxy.server.caller.caller_keys import CallerKeys
from claude_code_proxy.server.convert import serve_converted
from claude_code_proxy.server.fallback import candidates, is_reason, note_answer, note_move
from claude_code_proxy.server.offload import offload
from claude_code_proxy.server.passthrough import serve_native
from claude_code_proxy.server.records.statistics import add_session_stats

if TYPE_CHECKING:
    from claude_code_proxy.config.models_yaml.model import ModelConfig
    from claude_code_proxy.server.caller.call import Call
    from claude_code_proxy.server.gateway import Gateway


async def messages(gateway: Gateway, call: Call) -> None:
    """Answer a Messages request with the model it names. Raises `ApiError`."""
    keys = CallerKeys(call)
    raw, request, asked = await read_request(gateway, call)
    chain = candidates(gateway, call, keys, asked)
    for config, following in zip(chain, [*chain[1:], None], strict=True):
        keys.use(config)
        call.may_move_on = following is not None
        try:
            await _serve(gateway, call, config, raw, request)
        except ApiError as error:
            if following is None or call.started or not is_reason(error):
                raise
            note_move(gateway, call, config, following, error)
            let_go(error)
            request = await offload(len(raw), parse_object, raw, gateway.tool_cache)  # serving it used it up
        else:
            if asked.fallback:
                note_answer(gateway, call, config)
            return


async def _serve(
    gateway: Gateway, call: Call, config: ModelConfig, raw: bytes, request: dict[str, Any]
) -> None:
    try:
        if config.format == "anthropic":
            await serve_native.serve(gateway, call, config, raw, request)
        elif (asked := search_service.asked(call, config, request)) is not None:
            await search_service.serve(gateway, call, config, request, len(raw), asked)
        else:
            await serve_converted.serve(gateway, call, config, request, len(raw))
    finally:
        add_session_stats(gateway.stats, config.model_id, call.usage)


async def read_request(gateway: Gateway, call: Call) -> tuple[bytes, dict[str, Any], ModelConfig]:
    """A request's body, raw and parsed, and the model that it names. Raises `ApiError` 400, 404, 413."""
    raw = await read_body(call, gateway.settings.max_body_bytes)
    request = await offload(len(raw), parse_object, raw, gateway.tool_cache)
    call.model = model_of(request)
    return raw, request, gateway.upstreams.resolve(call.model)
