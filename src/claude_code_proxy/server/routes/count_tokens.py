"""`POST /v1/messages/count_tokens`."""

from __future__ import annotations

import math
from typing import Any

from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.core.compaction.wanted import without
from claude_code_proxy.server.caller.call import Call
from claude_code_proxy.server.caller.caller_keys import CallerKeys
from claude_code_proxy.server.caller.client_request import ClientRequest
from claude_code_proxy.server.convert.outgoing import OutgoingRequest
from claude_code_proxy.server.gateway import Gateway
from claude_code_proxy.server.passthrough.serve_native import check_refusal, pass_whole, prepare
from claude_code_proxy.server.routes.messages import read_request
from claude_code_proxy.server.upstream.exchange import Exchange

_NOT_THERE = frozenset((404, 405, 501))
# Until the upstream has counted a prompt itself: too little makes Claude Code compact too late, too much only
# a little early.
_CAUTION = 1.03


async def count_tokens(gateway: Gateway, call: Call) -> None:
    """Answer with the length of the prompt: the upstream's own count where it has one, else ours.

    Raises `ApiError`.
    """
    keys = CallerKeys(call)
    request, config = await read_request(gateway, call)
    await keys.use(config)
    if config.count_tokens_url and await _ask_upstream(gateway, call, config, request):
        return
    body = without(await request.take())
    body.setdefault("max_tokens", 1)  # the endpoint knows no output limit, the conversion asks for one
    outgoing = await OutgoingRequest.of(gateway, call, config, body, request.size)
    call.report = outgoing.report
    caution = 1.0 if gateway.calibration.knows(config.model_id) else _CAUTION
    answer: dict[str, Any] = {"input_tokens": math.ceil(outgoing.input_tokens * caution)}
    if (original := outgoing.original_tokens) is not None:
        answer["context_management"] = {"original_input_tokens": math.ceil(original * caution)}
    await call.respond_json(answer)


async def _ask_upstream(gateway: Gateway, call: Call, config: ModelConfig, request: ClientRequest) -> bool:
    """Pass the question on; False when the upstream does not have the endpoint."""
    url = config.count_tokens_url
    client, body = await prepare(gateway, call, config, url, request.raw, await request.take())
    async with Exchange(call, gateway.limits.of(config)) as exchange:
        response = await exchange.open(client, body)
        data = await exchange.read_all()
        if response.status not in _NOT_THERE:
            check_refusal(call, config, response, data)
            await pass_whole(call, response, data, None)
    return call.started
