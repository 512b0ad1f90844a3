"""The request to a judge."""

from __future__ import annotations

from typing import Any, Protocol

from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.core import wire
from claude_code_proxy.server.caller.call import Call
from claude_code_proxy.server.caller.caller_keys import CallerKeys
from claude_code_proxy.server.caller.client_request import ClientRequest
from claude_code_proxy.server.gateway import Gateway
from claude_code_proxy.server.inner_call import inner_call
from claude_code_proxy.server.routing import Attempt

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

    Raises `ApiError`.
    """

    async def ask(call: Call, keys: CallerKeys) -> None:
        request = ClientRequest(wire.dumps(body), body, gateway.tool_cache)
        await serve(gateway, call, Attempt(config, is_last=True), request, keys)

    message = await inner_call(gateway, outer, config, "auxiliary", ask, rule=KIND)
    content = message.get("content")
    blocks = content if isinstance(content, list) else []
    texts = [block.get("text") for block in blocks if isinstance(block, dict) and block.get("type") == "text"]
    return "\n".join(text for text in texts if isinstance(text, str))
