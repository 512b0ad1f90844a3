"""`POST /v1/messages`."""

from __future__ import annotations

from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.core.compaction.wanted import wanted
from claude_code_proxy.core.deltas import Usage
from claude_code_proxy.core.errors.api import ApiError, let_go
from claude_code_proxy.core.prompt_cache.cache_proof import CacheProof
from claude_code_proxy.core.report import Notice
from claude_code_proxy.core.request.repeated_calls import repeated_call
from claude_code_proxy.core.request.request_kind import class_of
from claude_code_proxy.server import search_service
from claude_code_proxy.server.caller.call import Call
from claude_code_proxy.server.caller.caller_keys import CallerKeys
from claude_code_proxy.server.caller.client_request import ClientRequest
from claude_code_proxy.server.convert.serve_compacted import serve_compacted
from claude_code_proxy.server.convert.serve_converted import serve_converted
from claude_code_proxy.server.fallback import is_reason, note_answer, note_move
from claude_code_proxy.server.gateway import Gateway
from claude_code_proxy.server.log import logger
from claude_code_proxy.server.passthrough.serve_native import serve_native
from claude_code_proxy.server.records.statistics import add_session_stats
from claude_code_proxy.server.routing import Attempt, attempts, routed
from claude_code_proxy.server.safeguards.guard import guarded


async def messages(gateway: Gateway, call: Call) -> None:
    """Serve a Messages request with the model it names, or with its fallbacks. Raises `ApiError`."""
    keys = CallerKeys(call)
    request, asked = await read_request(gateway, call)
    if gateway.captures is not None:
        call.record(gateway.captures, request.raw)
    try:
        await _serve_by_one(gateway, call, keys, request, asked)
    finally:
        if gateway.cache_proof is not None and call.session_id and call.usage is not None:
            _look_at_cache(gateway.cache_proof, call, request, call.usage)


def _look_at_cache(proof: CacheProof, call: Call, request: ClientRequest, usage: Usage) -> None:
    """Find out what of the prompt was read again; the log says so where nothing on our side changed."""
    agent = call.headers.get("x-claude-code-agent-id", "")
    who = hash((call.session_id, agent, class_of(call.headers)))
    call.cache_loss = loss = proof.look(who, request.fields(), usage, call.notices)
    if loss is not None and loss.cause == "lost":
        logger.warning("%s: %s: %s", call.request_id, call.served_by and call.served_by.model_id, loss)


async def _serve_by_one(
    gateway: Gateway, call: Call, keys: CallerKeys, request: ClientRequest, asked: ModelConfig
) -> None:
    """Serve a request with the model that was asked, or with its fallbacks. Raises `ApiError`."""
    if asked.routes:
        asked = await routed(gateway, call, keys, request, asked)
    note_repetition(call, request)
    failed: tuple[ModelConfig, ApiError] | None = None
    for attempt in attempts(gateway, call, keys, asked):
        if failed is not None:
            note_move(gateway, call, *failed, attempt.config)
            let_go(failed[1])
        try:
            await keys.use(attempt.config)
            await _serve(gateway, call, attempt, request, keys)
        except ApiError as error:
            if attempt.is_last or call.started or not is_reason(error):
                raise
            failed = attempt.config, error
        else:
            if asked.fallback:
                note_answer(gateway, call, attempt.config)
            return


def note_repetition(call: Call, request: ClientRequest) -> None:
    """Say that the model goes round in circles; nothing is changed."""
    found = repeated_call(request.body.get("messages"))
    if found is not None:
        why = f"the last {found.times} turns of the model made the same call of {found.name[:80]}"
        call.noted += (Notice("tool_call_repeated", "messages", "noticed", why),)
        call.extra_headers["x-proxy-repeated-calls"] = str(found.times)


async def _serve(
    gateway: Gateway, call: Call, attempt: Attempt, request: ClientRequest, keys: CallerKeys
) -> None:
    config = call.served_by = attempt.config
    if call.capture is not None:
        call.capture.models.append((config, None))
    body = await request.take()
    if "safeguards" in body:
        attempt = guarded(gateway, call, attempt, request, keys, body, _serve)
        config = attempt.config
    try:
        if config.format == "anthropic":
            await serve_native(gateway, call, attempt, request.raw, body)
        elif (search := search_service.asked(gateway, call, config, body)) is not None:
            await search_service.serve_search(gateway, call, config, body, request.size, search)
        elif config.profile.compaction and (compaction := wanted(body)) is not None:
            await serve_compacted(gateway, call, config, body, request.size, compaction)
        else:
            await serve_converted(gateway, call, config, body, request.size)
    finally:
        add_session_stats(gateway.stats, config.model_id, call.usage)


async def read_request(gateway: Gateway, call: Call) -> tuple[ClientRequest, ModelConfig]:
    """A request and the configuration of the model that it names. Raises `ApiError` 400, 404, 413."""
    request = await ClientRequest.read(call, gateway.settings, gateway.admission, gateway.tool_cache)
    call.model = request.model
    return request, gateway.upstreams.resolve(request.model)
