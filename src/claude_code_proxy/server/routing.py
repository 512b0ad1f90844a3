"""From the model that a request names to the upstreams that may serve it."""

from __future__ import annotations

import math
from functools import cache, partial
from typing import NamedTuple

from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.report import Notice
from claude_code_proxy.core.request.request_kind import Rule, class_of, fitting
from claude_code_proxy.core.tokens.estimate import measure
from claude_code_proxy.server.caller.body import parse_object
from claude_code_proxy.server.caller.call import Call
from claude_code_proxy.server.caller.caller_keys import CallerKeys
from claude_code_proxy.server.caller.client_request import ClientRequest
from claude_code_proxy.server.convert.outgoing import convert
from claude_code_proxy.server.gateway import Gateway
from claude_code_proxy.server.offload import offload


class Attempt(NamedTuple):
    """One model to try. `is_last`: what it cannot do fails the request."""

    config: ModelConfig
    is_last: bool


def attempts(gateway: Gateway, call: Call, keys: CallerKeys, asked: ModelConfig) -> list[Attempt]:
    """What to try for a request to `asked`, in order; models that cool down only where there is no other."""
    if not asked.fallback:
        return [Attempt(asked, is_last=True)]
    further = [gateway.upstreams.resolve(model_id) for model_id in asked.fallback]
    chain = [asked, *(model for model in further if keys.may_follow(model, asked))]
    session_id = call.session_id
    ready = [model for model in chain if not gateway.cooldowns.is_cooling(model.model_id, session_id)]
    chain = ready or chain
    return [Attempt(model, model is chain[-1]) for model in chain]


async def routed(
    gateway: Gateway, call: Call, keys: CallerKeys | None, request: ClientRequest, asked: ModelConfig
) -> ModelConfig:
    """The model that a rule of `asked` wants for this request, else `asked`; notes the rule for the report.

    The first rule that fits counts. One whose model has no key is noted and left. `keys` None: none matter.
    """

    def fit() -> list[Rule]:
        length = cache(partial(_length, gateway, request, asked))
        return list(fitting(asked.routes, class_of(call.headers), request.body, length))

    measured = any(rule.above for rule in asked.routes)
    for rule in await offload(request.size if measured else 0, fit):
        found = gateway.upstreams.resolve(rule.to)
        if keys is not None and not keys.may_follow(found, asked):
            why = f"the rule {rule.kind} wants {found.model_id}, for whose address the request has no key"
            call.noted += (Notice("route_without_key", "model", "dropped", why),)
            continue
        if found.model_id != asked.model_id:
            why = f"the rule {rule.kind} of {asked.model_id} sends the request to {found.model_id}"
            call.noted += (Notice("routed", "model", "changed", why),)
            gateway.stats.add_route(rule.kind, asked.model_id, found.model_id)
            call.rule = rule.kind
        return found
    return asked


def _length(gateway: Gateway, request: ClientRequest, asked: ModelConfig) -> int:
    """The prompt's length in tokens, by our count; 0 where that is surely below each rule's."""
    if request.size <= min(rule.above for rule in asked.routes if rule.above):  # a token has a byte at least
        return 0
    try:
        body = parse_object(request.raw, gateway.tool_cache)
        converted = convert(body, asked, asked.profile, "", tool_cache=gateway.tool_cache)
    except ApiError:
        return 0  # it is said where the request is served
    counts = measure(converted.body, gateway.text_counts, converted.tools)
    return math.ceil(gateway.calibration.tokens(asked.model_id, counts))
