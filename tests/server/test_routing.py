"""Requests that a rule sends to another model: which, what is said of it, and when it stays as it is."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.core import sealed_keys
from tests.server.byte_upstream import Upstream, running_upstream, say_hello
from tests.server.harness import BODY, KEY, Proxy, ask, model, running_proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SUBAGENT = {"x-claude-code-request-class": "subagent", "x-claude-code-agent-type": "Explore"}
TITLE = {
    "output_config": {
        "format": {"type": "json_schema", "schema": {"type": "object", "properties": {"title": {}}}}
    }
}
LONG = {"messages": [{"role": "user", "content": "a few words " * 2000}]}
ROUTES = {
    "title": "small",
    "subagent": "other",
    "long_context": {"above": 2000, "to": "large"},
    "compaction": "m",
    "auxiliary": "m",
}


@asynccontextmanager
async def world(protocol: str = "openai", **own: Any) -> AsyncIterator[tuple[Proxy, Upstream, Upstream]]:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(running_upstream(say_hello))
        second = await stack.enter_async_context(running_upstream(say_hello))
        entries = [
            model(first.base, routes=ROUTES, format=protocol, **own),
            model(first.base) | {"model_id": "small", "model_name": "s1", "routes": {"title": "large"}},
            model(first.base) | {"model_id": "large"},
            model(second.base) | {"model_id": "other"},
        ]
        yield await stack.enter_async_context(running_proxy(entries)), first, second


def sealed(*upstreams: Upstream) -> dict[str, str]:
    return {sealed_keys.HEADER: sealed_keys.seal(dict.fromkeys((u.base for u in upstreams), KEY))}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("headers", "body", "served", "code"),
    [
        ({}, {}, "m", ""),
        ({}, TITLE, "s1", "routed"),
        ({}, LONG, "large", "routed"),
        ({}, LONG | TITLE, "s1", "routed"),
        ({"x-claude-code-request-class": "compaction"}, {}, "m", ""),
        ({"x-claude-code-request-class": "auxiliary"}, {}, "m", ""),
        (SUBAGENT, {}, "m", "route_without_key"),
    ],
)
async def test_where_a_request_goes(
    headers: dict[str, str], body: dict[str, Any], served: str, code: str, stream: bool
) -> None:
    async with world() as (proxy, first, _):
        reply = await ask(proxy, BODY | body | {"stream": stream}, headers=headers | {"x-proxy-report": "1"})
        stats = (await ask(proxy, None, method="GET", path="/v1/stats")).json
    assert reply.status == 200
    assert first.requests[0].json["model"] == served
    told = reply.headers["x-proxy-notices"].split(",")
    assert [one for one in told if one.startswith("route")] == ([code] if code else [])
    assert reply.headers["x-proxy-upstream-model"] == served
    names = {name.lower() for name, _ in first.requests[0].headers}
    assert not any("claude" in name for name in names)
    if stream:
        assert reply.events[0]["message"]["model"] == "m"  # the name that was asked for
    else:
        assert reply.json["model"] == "m"
    assert bool(stats["route_count"]) == (code == "routed")


@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
async def test_another_address_with_a_key_of_its_own(protocol: str) -> None:
    async with world(protocol) as (proxy, first, second):
        headers = SUBAGENT | sealed(first, second) | {"x-proxy-report": "1"}
        reply = await ask(proxy, BODY, headers=headers)
        stats = (await ask(proxy, None, method="GET", path="/v1/stats")).json
        assert (reply.status, len(first.requests), len(second.requests)) == (200, 0, 1)
        assert "routed" in reply.headers["x-proxy-notices"]
        assert stats["route_count"] == {"subagent: m -> other": 1}
        assert stats["model_usage_count"] == {"other": 1}
        reply = await ask(proxy, BODY, headers=SUBAGENT | sealed(first))
        assert (len(first.requests), len(second.requests)) == (1, 1)


@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
async def test_a_model_that_goes_round_in_circles(protocol: str) -> None:
    call = {"type": "tool_use", "id": "x", "name": "Bash", "input": {"command": "ls"}}
    result = {"type": "tool_result", "tool_use_id": "x", "content": "ok"}
    turn = [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    async with world(protocol) as (proxy, first, _):
        for times in (2, 4):
            messages = [{"role": "user", "content": "go"}, *turn * times]
            reply = await ask(proxy, BODY | {"messages": messages}, headers={"x-proxy-report": "1"})
            assert reply.headers.get("x-proxy-repeated-calls") == ("4" if times == 4 else None)
            assert ("tool_call_repeated" in reply.headers["x-proxy-notices"]) == (times == 4)
        assert len(first.requests[-1].json["messages"]) == 9


async def test_a_long_prompt_in_the_native_format() -> None:
    """Also one that our conversion does not understand: the rule then does not count."""
    async with world("anthropic") as (proxy, first, _):
        odd = {"messages": [{"role": "user", "content": [{"type": "text", "text": 5}, {"pad": "x" * 3000}]}]}
        await ask(proxy, BODY | odd)
        await ask(proxy, BODY | LONG)
        paths = [request.path.partition("?")[0] for request in first.requests]
        assert paths == ["/v1/messages", "/v1/chat/completions"]


async def test_a_conversion_that_is_repeated_keeps_the_notice() -> None:
    async def refuse_once(request: Any, connection: Any) -> None:
        if "temperature" in request.json:
            error = {"error": {"message": "Unsupported parameter: 'temperature'", "param": "temperature"}}
            await connection.whole(400, error)
        else:
            await say_hello(request, connection)

    async with running_upstream(refuse_once) as upstream:
        entries = [
            model(upstream.base, routes={"title": "small"}),
            model(upstream.base) | {"model_id": "small"},
        ]
        async with running_proxy(entries) as proxy:
            body = BODY | TITLE | {"temperature": 0.5}
            reply = await ask(proxy, body, headers={"x-proxy-report": "1"})
    assert {"routed", "corrected"} <= set(reply.headers["x-proxy-notices"].split(","))


async def test_the_test_conversion_goes_the_same_way() -> None:
    async with world() as (proxy, _, _):
        path = "/v1/messages/test_conversion?dry_run=1"
        told = (await ask(proxy, BODY, path=path, headers=SUBAGENT)).json
    assert told["model"] == "other"
    assert told["notices"][0]["code"] == "routed"
    assert "subagent" in json.dumps(told["notices"])
