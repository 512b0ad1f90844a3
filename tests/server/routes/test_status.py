"""Every endpoint but the inference itself."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from claude_code_proxy.server.upstream import dial_check
from tests.server.byte_upstream import running_upstream, say_hello
from tests.server.harness import BODY, KEY, Proxy, ask, model, running_proxy

NOWHERE = "http://127.0.0.1:1"
MODELS = [
    model(NOWHERE, max_tokens=8192, context="128k"),
    {"model_id": "claude-like", "api_base": NOWHERE, "format": "anthropic"},
    {"model_id": "a/b:free", "api_base": NOWHERE},
]


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    async with running_proxy(MODELS) as running:
        yield running


async def get(proxy: Proxy, path: str, method: str = "GET") -> Any:
    return await ask(proxy, None, method=method, path=path, key=None)


@pytest.mark.parametrize("path", ["/", "/api/hello", "/anthropic", "/anthropic/", "/health", "/v1/models"])
async def test_head_and_get_need_no_key(proxy: Proxy, path: str) -> None:
    for method in ("HEAD", "GET"):
        reply = await get(proxy, path, method)
        assert reply.status == 200
        assert reply.headers["request-id"].startswith("req_")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models",
        "/anthropic/v1/models",
        "/v1/v1/models",
        "/v1/models/?limit=1000",
        "/anthropic/v1/v1/models",
    ],
)
async def test_model_list(proxy: Proxy, path: str) -> None:
    listed = (await get(proxy, path)).json
    ids = [row["id"] for row in listed["data"]]
    assert ids == ["m", "anthropic/m", "claude-like", "a/b:free", "anthropic/a/b:free"]
    assert (listed["first_id"], listed["last_id"], listed["has_more"]) == (ids[0], ids[-1], False)
    shown = listed["data"][1]
    assert (shown["id"], shown["display_name"]) == ("anthropic/m", "m")
    assert (shown["max_input_tokens"], shown["max_tokens"]) == (128_000, 8192)


@pytest.mark.parametrize(
    ("query", "ids", "more"),
    [
        ("limit=2", ["m", "anthropic/m"], True),
        ("limit=2&after_id=claude-like", ["a/b:free", "anthropic/a/b:free"], False),
        ("limit=1&before_id=claude-like", ["anthropic/m"], True),
        ("before_id=m", [], False),
        ("after_id=anthropic%2Fa%2Fb:free", [], False),
    ],
)
async def test_pages_of_the_model_list(proxy: Proxy, query: str, ids: list[str], more: bool) -> None:
    listed = (await get(proxy, f"/v1/models?{query}")).json
    assert [row["id"] for row in listed["data"]] == ids
    assert listed["has_more"] is more
    assert listed["first_id"] == (ids[0] if ids else None)


@pytest.mark.parametrize(
    ("query", "status"),
    [("limit=0", 400), ("limit=" + "9" * 5000, 400), ("limit=x", 400), ("after_id=nope", 404)],
)
async def test_bad_pages(proxy: Proxy, query: str, status: int) -> None:
    assert (await get(proxy, f"/v1/models?{query}")).status == status


@pytest.mark.parametrize("path", ["a/b:free", "a%2Fb%3Afree", "anthropic/a/b:free"])
async def test_one_model(proxy: Proxy, path: str) -> None:
    shown = (await get(proxy, f"/v1/models/{path}")).json
    assert (shown["type"], shown["display_name"]) == ("model", "a/b:free")


async def test_a_model_that_is_not_there(proxy: Proxy) -> None:
    reply = await get(proxy, "/v1/models/claude-lik")
    assert (reply.status, reply.json["error"]["type"]) == (404, "not_found_error")
    assert "claude-like" in reply.json["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/nope", 404, "not_found_error"),
        ("POST", "/v1/complete", 404, "not_found_error"),
        ("GET", "/v1/messages", 405, "invalid_request_error"),
        ("DELETE", "/v1/models/m", 405, "invalid_request_error"),
        ("POST", "/v1/models", 405, "invalid_request_error"),
        ("GET", "/anthropicx/v1/models", 404, "not_found_error"),
    ],
)
async def test_unknown_paths_and_methods(
    proxy: Proxy, method: str, path: str, status: int, kind: str
) -> None:
    reply = await get(proxy, path, method)
    assert (reply.status, reply.json["error"]["type"]) == (status, kind)
    assert reply.json["request_id"] == reply.headers["request-id"]
    assert ("allow" in reply.headers) is (status == 405)


async def test_stats_count_requests_and_tokens() -> None:
    async with running_upstream(say_hello) as upstream, running_proxy([model(upstream.base)]) as proxy:
        await ask(proxy)
        await ask(proxy, {**BODY, "stream": True})
        stats = (await get(proxy, "/v1/stats")).json
    assert stats["total_requests"] == 2
    assert (stats["total_input_tokens"], stats["total_output_tokens"]) == (22, 10)
    assert stats["total_tokens"] == 32
    assert stats["model_usage_count"] == {"m": 2}
    assert set(stats) == {
        "session_start_time",
        "session_duration_seconds",
        "total_requests",
        "total_input_tokens",
        "total_output_tokens",
        "total_tokens",
        "total_cache_creation_tokens",
        "total_cache_read_tokens",
        "total_reasoning_tokens",
        "model_usage_count",
        "fallback_count",
        "route_count",
        "learned",
    }


async def test_count_tokens_calls_nobody(proxy: Proxy) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "word " * 1000}]}
    reply = await ask(proxy, body, path="/v1/messages/count_tokens?beta=true")
    assert 800 < reply.json["input_tokens"] < 1400
    assert (await ask(proxy, body, path="/v1/messages/count_tokens", key=None)).status == 401


async def test_counting_learns_from_what_the_upstream_counted() -> None:
    body = {**BODY, "messages": [{"role": "user", "content": "many words " * 200}]}
    async with running_upstream(say_hello) as upstream, running_proxy([model(upstream.base)]) as proxy:
        before = (await ask(proxy, body, path="/v1/messages/count_tokens")).json["input_tokens"]
        for _ in range(20):
            await ask(proxy, {**body, "stream": True})
        after = (await ask(proxy, body, path="/v1/messages/count_tokens")).json["input_tokens"]
    assert before != after


async def test_dry_run_calls_nobody_and_needs_no_key(proxy: Proxy) -> None:
    body = {**BODY, "stream": True, "top_k": 3}
    path = "/v1/messages/test_conversion?dry_run=1"
    answer = (await ask(proxy, body, path=path, key=None)).json
    assert answer["upstream_request"]["messages"] == [{"role": "user", "content": "hi"}]
    assert answer["upstream_request"]["stream"] is True
    assert answer["upstream_url"] == f"{NOWHERE}/v1/chat/completions"
    assert any(notice["path"] == "top_k" for notice in answer["notices"])
    assert "message" not in answer


async def test_test_conversion_asks_the_model() -> None:
    async with running_upstream(say_hello) as upstream, running_proxy([model(upstream.base)]) as proxy:
        path = "/v1/messages/test_conversion"
        answer = (await ask(proxy, {**BODY, "stream": True}, path=path)).json
        refused = await ask(proxy, BODY, path=path, key=None)
    assert answer["message"]["content"] == [{"type": "text", "text": "Hello"}]
    assert refused.status == 401
    assert len(upstream.requests) == 1


async def test_test_conversion_of_what_is_not_converted(proxy: Proxy) -> None:
    reply = await ask(proxy, {**BODY, "model": "claude-like"}, path="/v1/messages/test_conversion")
    assert reply.status == 400


async def test_test_connection_sends_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        base = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        models = [model(base), {"model_id": "n", "api_base": NOWHERE}, {"model_id": "o", "api_base": NOWHERE}]
        async with running_proxy(models) as proxy:
            reply = await ask(proxy, None, method="GET", path="/test-connection")
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(100) == b""
    answer = reply.json
    assert answer["status"] == "failing"
    assert [(row["reachable"], row["models"]) for row in answer["upstreams"]] == [
        (True, ["m"]),
        (False, ["n", "o"]),
    ]
    assert KEY not in reply.body.decode()


async def test_many_test_connections_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    dials: list[str] = []

    async def dial(host: str, *_: Any, **__: Any) -> Any:
        dials.append(host)
        raise OSError(111, "refused")

    models = [{"model_id": f"m{n}", "api_base": f"https://h{n}.example/v1"} for n in range(100)]
    async with running_proxy(models) as proxy:
        asks = [ask(proxy, None, method="GET", path="/test-connection", key=None) for _ in range(40)]
        monkeypatch.setattr(dial_check, "open_connection", dial)
        replies = await asyncio.gather(*asks)
    assert {reply.status for reply in replies} == {200}
    assert len(dials) == 64
    rows = replies[0].json["upstreams"]
    assert len(rows) == 100
    assert {row["error"] for row in rows[64:]} == {"not tried: at most 64 upstreams are"}


async def test_more_requests_than_allowed() -> None:
    async with running_proxy(MODELS, max_requests=0) as proxy:
        reply = await get(proxy, "/v1/models")
    assert (reply.status, reply.json["error"]["type"]) == (529, "overloaded_error")


async def test_an_internal_error_is_told_and_logged(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(proxy.gateway.stats, "snapshot", lambda: 1 / 0)
    reply = await get(proxy, "/v1/stats")
    assert (reply.status, reply.json["error"]["type"]) == (500, "api_error")
    assert "ZeroDivisionError" in caplog.text
