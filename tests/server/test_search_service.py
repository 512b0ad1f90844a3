"""Claude Code's own search request, through the real server, to a provider and a search service."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from anthropic.types import Message

from claude_code_proxy.core.answer.message import fold
from claude_code_proxy.core.continuity import page_text
from claude_code_proxy.core.report import Report
from tests import paths
from tests.server.byte_upstream import Connection, Request, running_upstream, say_hello
from tests.server.harness import BODY, KEY, Client, Reply, ask, eventually, model, running_proxy

FIXTURE = json.loads((paths.FIXTURES / "13_web_search_server_tool.json").read_text(encoding="utf-8"))
SEARCH = {**FIXTURE["body"], "model": "m"}
WHOLE = {key: value for key, value in SEARCH.items() if key != "stream"}
CLIENT = {"x-claude-code-session-id": "00000000-0000-4000-8000-000000000000", "x-proxy-report": "1"}
SEARCH_KEY = "search-key-0815"
FOUND = {
    "results": [
        {"title": "Cats", "url": "https://www.a.com/cats", "content": "All about cats.", "age": "2026-05-01"},
        {"title": "Elsewhere", "url": "https://elsewhere.org", "content": "Not asked for."},
    ]
}


async def find(request: Request, connection: Connection) -> None:
    await connection.whole(200, FOUND)


def text_of(reply: Reply) -> str:
    assert reply.status == 200
    assert [t for t in reply.types if t not in ("ping", "content_block_delta")] == [
        "message_start",
        "content_block_start",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert next(e for e in reply.events if e["type"] == "message_delta")["delta"]["stop_reason"] == "end_turn"
    return "".join(e["delta"]["text"] for e in reply.events if e["type"] == "content_block_delta")


async def test_without_any_search_the_answer_says_so() -> None:
    async with running_upstream(say_hello) as upstream, running_proxy([model(upstream.base)]) as proxy:
        streamed = await ask(proxy, SEARCH, headers=CLIENT)
        whole = await ask(proxy, WHOLE, headers=CLIENT)
    assert "not available" in text_of(streamed)
    assert streamed.headers["x-proxy-notices"] == "web_search_unavailable"
    assert whole.json["stop_reason"] == "end_turn"
    assert whole.json["content"] == [{"type": "text", "text": text_of(streamed)}]
    assert upstream.requests == []


async def test_pages_cannot_be_fetched() -> None:
    tools = [{"type": "web_fetch_20250910", "name": "web_fetch"}]
    body = {**BODY, "tools": tools, "tool_choice": {"type": "tool", "name": "web_fetch"}}
    async with running_upstream(say_hello) as upstream, running_proxy([model(upstream.base)]) as proxy:
        reply = await ask(proxy, body)
    assert "not available" in reply.json["content"][0]["text"]
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("headers", "body"),
    [({}, SEARCH), (CLIENT, {**SEARCH, "tools": [*SEARCH["tools"], {"name": "f", "input_schema": {}}]})],
    ids=["another client", "another tool"],
)
async def test_what_is_no_search_request_goes_to_the_model(headers: dict[str, str], body: Any) -> None:
    async with running_upstream(say_hello) as upstream, running_proxy([model(upstream.base)]) as proxy:
        assert text_of(await ask(proxy, body, headers=headers)) == "Hello"
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("body", [SEARCH, WHOLE], ids=["streamed", "whole"])
async def test_results_of_a_search_service_go_to_the_model_and_to_the_client(body: dict[str, Any]) -> None:
    async with running_upstream(find) as service, running_upstream(say_hello) as upstream:
        settings = {"search_url": f"{service.base}/search?format=json&q={{query}}"}
        async with running_proxy([model(upstream.base)], **settings) as proxy:
            reply = await ask(proxy, body, headers={**CLIENT, "x-search-key": SEARCH_KEY})
    message = fold(reply.events, Report()) if body is SEARCH else reply.json
    Message.model_validate(message)
    call, found, text = message["content"]
    assert (call["type"], call["input"]) == ("server_tool_use", {"query": "cats"})
    (page,) = found["content"]
    assert (page["title"], page["url"], page["page_age"]) == ("Cats", "https://www.a.com/cats", "2026-05-01")
    assert page_text(page["encrypted_content"]) == "All about cats."
    assert text == {"type": "text", "text": "Hello"}
    assert message["usage"]["server_tool_use"] == {"web_search_requests": 1, "web_fetch_requests": 0}
    assert reply.headers["x-proxy-notices"] == "web_search_emulated"
    (asked,) = service.requests
    assert asked.method == "GET"
    assert parse_qs(urlsplit(asked.path).query) == {"format": ["json"], "q": ["cats site:a.com"]}
    assert asked.header("authorization") == f"Bearer {SEARCH_KEY}"
    (sent,) = upstream.requests
    assert "https://www.a.com/cats" in json.dumps(sent.json)
    assert "elsewhere" not in json.dumps(sent.json)
    assert "tools" not in sent.json
    assert KEY not in str(asked), "the provider's key stays with the provider"
    assert SEARCH_KEY not in str(sent), "and the search key with the search service"


async def test_the_service_may_want_its_key_in_a_header_of_its_own() -> None:
    async with running_upstream(find) as service, running_upstream(say_hello) as upstream:
        settings = {"search_url": f"{service.base}/?q={{query}}", "search_key_header": "X-Subscription-Token"}
        async with running_proxy([model(upstream.base)], **settings) as proxy:
            await ask(proxy, WHOLE, headers={**CLIENT, "x-search-key": SEARCH_KEY})
            await ask(proxy, WHOLE, headers=CLIENT)
    with_key, without = service.requests
    assert with_key.header("x-subscription-token") == SEARCH_KEY
    assert with_key.header("authorization") is None
    assert without.header("x-subscription-token") is None


async def refuse(request: Request, connection: Connection) -> None:
    await connection.whole(401, {"error": "bad key"})


async def move(request: Request, connection: Connection) -> None:
    await connection.whole(302, b"", location="http://127.0.0.1:1/")


async def babble(request: Request, connection: Connection) -> None:
    await connection.whole(200, b"<html>")


async def hang(request: Request, connection: Connection) -> None:
    await connection.left()


async def hang_up(request: Request, connection: Connection) -> None:
    connection.reset()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (refuse, "returned 401 (is the header x-search-key right?)"),
        (move, "returned 302"),
        (babble, "not JSON"),
        (hang, "did not respond within 0.2 s"),
        (hang_up, "127.0.0.1"),
    ],
)
async def test_a_search_that_fails_is_told(script: Any, words: str) -> None:
    async with running_upstream(script) as service, running_upstream(say_hello) as upstream:
        settings = {"search_url": f"{service.base}/?q={{query}}", "search_timeout": 0.2}
        async with running_proxy([model(upstream.base)], **settings) as proxy:
            reply = await ask(proxy, SEARCH, headers={**CLIENT, "x-search-key": SEARCH_KEY})
    text = text_of(reply)
    assert "search failed" in text
    assert words in text
    assert SEARCH_KEY not in text
    assert reply.headers["x-proxy-notices"] == "web_search_failed"
    assert upstream.requests == []


async def test_a_client_that_leaves_ends_the_search() -> None:
    async with running_upstream(hang) as service, running_upstream(say_hello) as upstream:
        settings = {"search_url": f"{service.base}/?q={{query}}"}
        async with running_proxy([model(upstream.base)], **settings) as proxy:
            client = await Client.connect(proxy)
            await client.send(SEARCH, headers=CLIENT)
            await eventually(lambda: service.open_connections == 1)
            client.close()
            await eventually(lambda: service.open_connections == 0)
    assert upstream.requests == []


async def test_a_provider_that_searches_is_asked_to() -> None:
    async with running_upstream(say_hello) as upstream:
        entries = [
            model(upstream.base, profile="openrouter"),
            model(upstream.base, profile="qwen") | {"model_id": "q"},
        ]
        async with running_proxy(entries) as proxy:
            assert text_of(await ask(proxy, SEARCH, headers=CLIENT)) == "Hello"
            reply = await ask(proxy, {**SEARCH, "model": "q"}, headers=CLIENT)
    assert text_of(reply) == "Hello"
    assert {"web_search_native", "web_search_field"} <= {*reply.headers["x-proxy-notices"].split(",")}
    by_tool, by_field = (request.json for request in upstream.requests)
    assert by_tool["tools"] == [{"type": "openrouter:web_search"}]
    assert by_field["enable_search"] is True
    assert not by_field.keys() & {"tools", "tool_choice", "web_search_options"}


async def test_the_search_key_goes_to_no_passthrough_upstream() -> None:
    async with running_upstream(say_hello) as upstream:
        entry = model(upstream.base, format="anthropic")
        async with running_proxy([entry]) as proxy:
            await ask(proxy, BODY, headers={"x-search-key": SEARCH_KEY})
    (request,) = upstream.requests
    assert SEARCH_KEY not in str(request)
