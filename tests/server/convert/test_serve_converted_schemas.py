"""Tools that a provider refuses: the request is converted anew, and what helped is learned."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.byte_upstream import Connection, Request, running_upstream
from tests.server.harness import BODY, Proxy, ask, model, running_proxy

ANSWER = {"choices": [{"index": 0, "message": {"content": "hello"}, "finish_reason": "stop"}]}
ODD = {"type": "object", "properties": {"p": {"const": 1}, "t": {"type": "array", "uniqueItems": True}}}
REQUEST = {**BODY, "tools": [{"name": "7zip", "input_schema": ODD, "strict": True}]}
MOONSHOT = "tools.function.parameters is not a valid moonshot flavored json schema, details: <At path 'x': y>"
GEMINI = "Unknown name \"const\" at 'tools[0].function_declarations[0].parameters.properties[0]': Cannot find field."
GENERIC = "Invalid schema for function 'f': bad"


def script(*refusals: str) -> Any:
    """An upstream that refuses one request for each of `refusals` and then answers."""
    left = list(refusals)

    async def serve(_: Request, connection: Connection) -> None:
        if left:
            await connection.whole(400, {"error": {"message": left.pop(0)}})
        else:
            await connection.whole(200, ANSWER)

    return serve


def learned(proxy: Proxy) -> dict[str, Any]:
    return next(iter(proxy.gateway.learned.snapshot().values()), {})


@pytest.mark.parametrize(
    ("refusals", "lesson"),
    [
        ((MOONSHOT,), {"schema_dialect": "kimi"}),
        ((GEMINI,), {"schema_dialect": "gemini"}),
        ((GEMINI, MOONSHOT), {"schema_dialect": "kimi"}),
        (("Invalid function name. Must start with a letter or an underscore.",),
         {"tool_name_start": "letter_or_underscore"}),
        (("Invalid function name. Must start with a letter.", MOONSHOT),
         {"tool_name_start": "letter", "schema_dialect": "kimi"}),
    ],
)  # fmt: skip
async def test_what_helped_is_learned(refusals: tuple[str, ...], lesson: dict[str, Any]) -> None:
    async with (
        running_upstream(script(*refusals)) as upstream,
        running_proxy([model(upstream.base)]) as proxy,
    ):
        reply = await ask(proxy, REQUEST)
        assert reply.status == 200
        assert len(upstream.requests) == len(refusals) + 1
        assert learned(proxy) == lesson
        sent = upstream.requests[-1].json["tools"]
        await ask(proxy, REQUEST)
        assert upstream.requests[-1].json["tools"] == sent


async def test_what_did_not_help_is_not_learned() -> None:
    refusals = [GENERIC] * 4
    async with (
        running_upstream(script(*refusals)) as upstream,
        running_proxy([model(upstream.base)]) as proxy,
    ):
        reply = await ask(proxy, REQUEST)
        assert reply.status == 400
        assert len(upstream.requests) == 2
        assert learned(proxy) == {}
        first, second = (request.json["tools"] for request in upstream.requests)
        assert first != second


async def test_what_did_not_help_is_undone() -> None:
    words = "function_declarations: 'top_p' is not supported"
    async with (
        running_upstream(script(words, words)) as upstream,
        running_proxy([model(upstream.base)]) as proxy,
    ):
        reply = await ask(proxy, {**REQUEST, "top_p": 0.5})
        assert reply.status == 200
        assert learned(proxy) == {"drop_params": ("top_p",)}
        first, second, third = (request.json for request in upstream.requests)
        assert first["tools"] == third["tools"] != second["tools"]
        assert "top_p" not in third


@pytest.mark.parametrize("plain", [True, False])
async def test_what_changes_nothing_is_not_sent_again(plain: bool) -> None:
    schema = {"type": "object", "properties": {"p": {"type": "string"}}} if plain else ODD
    body = {**BODY, "tools": [{"name": "f", "input_schema": schema}]}
    async with running_upstream(script(GENERIC)) as upstream, running_proxy([model(upstream.base)]) as proxy:
        reply = await ask(proxy, body)
        assert (reply.status, len(upstream.requests)) == ((400, 1) if plain else (200, 2))
        assert learned(proxy) == ({} if plain else {"schema_dialect": "kimi"})


STRICT = {
    "type": "object",
    "properties": {"p": {"type": "string"}},
    "required": ["p"],
    "additionalProperties": False,
}
REFUSED = "Invalid schema for {}: In context=(), 'required' is required to be supplied"


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("subject", ["function 'f'", "response_format 'response'"])
async def test_strict_is_given_up(api: str, subject: str) -> None:
    tools = {"tools": [{"name": "f", "input_schema": STRICT, "strict": True}]}
    form = {"output_config": {"format": {"type": "json_schema", "schema": STRICT}}}
    body = {**BODY, **(tools if "function" in subject else form)}
    profile = {"api": api, "schema_dialect": "openai_strict"}
    upstream_script = script(REFUSED.format(subject))
    async with (
        running_upstream(upstream_script) as upstream,
        running_proxy([model(upstream.base, profile=profile)]) as proxy,
    ):
        await ask(proxy, body)
        first, second = (str(request.json) for request in upstream.requests)
        assert "'strict': True" in first
        assert "'strict': True" not in second
