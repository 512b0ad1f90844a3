"""From the model that a request names to the upstreams that may serve it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from claude_code_proxy.config.models_yaml.model import ModelConfig
    from claude_code_proxy.server.caller.call import Call
    from claude_code_proxy.server.caller.caller_keys import CallerKeys
    from claude_code_proxy.server.gateway import Gateway


class Attempt(NamedTuple):
    """One model to try. `is_last`: what it cannot do fails the request."""

    config: ModelConfig
    is_last: bool


def attempts(gateway: Gateway, call: Call, keys: CallerKeys, asked: ModelConfig) -> list[Attempt]:
    """What to try for a request to `asked`, in order; models that cool down only where there is no other."""
    chain = [asked]
    if asked.fallback:
        further = [gateway.upstreams.resolve(model_id) for model_id in asked.fallback]
        chain += [model for model in further if keys.may_follow(model, asked)]
        session_id = call.session_id
        ready = [model for model in chain if not gateway.cooldowns.is_cooling(model.model_id, session_id)]
        chain = ready or chain
    return [Attempt(model, model is chain[-1]) for model in chain]
