"""Passing through: the raw bytes on both sides."""

import asyncio
import json
from typing import Any

import pytest

from claude_code_proxy.core.answer import events
from claude_code_proxy.core.continuity import seal_reasoning
from claude_code_proxy.core.deltas import Page
from claude_code_proxy.server.upstream import exchange
from tests.server.byte_upstream import Connection, Request, Script, running_upstream
from tests.server.harness import BODY, KEY, Client, Proxy, ask, eventually, model, running_proxy

RAW = (
    b'{ "model":"m",\n "max_tokens" : 64000, "stream":true, "new_field": {"model": "m", "x": 1e5},'
    b' "messages":[{"role":"user","content":"caf\\u00e9 \xe2\x98\x95 \\"model\\":\\"m\\""}] }'
)
EVENTS = (
    b'event: message_start\r\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message",'
    b'"role":"assistant","model":"real","content":[],"usage":{"input_tokens":7,"output_tokens":1,'
    b'"cache_read_input_tokens":3}}}\r\n\r\n',
    b'event: ping\r\ndata: {"type": "ping"}\r\n\r\n',
    b'event: content_block_start\r\ndata: {"type":"content_block_start","index":0,'
    b'"content_block":{"type":"text","text":""}}\r\n\r\n',
    b'event: content_block_delta\r\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"the \\"model\\":\\"real\\""}}\r\n\r\n',
    b'event: brand_new\r\ndata: {"type":"brand_new"}\r\n\r\n',
    b'event: content_block_stop\r\ndata: {"type":"content_block_stop","index":0}\r\n\r\n',
    b'event: message_delta\r\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},'
    b'"usage":{"output_tokens":9}}\r\n\r\n',
    b'event: message_stop\r\ndata: {"type":"message_stop"}\r\n\r\n',
)
ANSWER = (
    b'{"id":"msg_1", "type":"message","content":[{"type":"text","text":"\\"model\\":\\"real\\""}],\n'
    b' "model" : "real", "usage":{"input_tokens":7,"output_tokens":9}}'
)


def native(base: str, **more: Any) -> dict[str, Any]:
    return model(base, format="anthropic", **more)


def streams(*events: bytes) -> Script:
    async def script(request: Request, connection: Connection) -> None:
        await connection.head(request_id="req_upstream", anthropic_ratelimit_requests_remaining="5")
        for event in events:
            await connection.chunk(event)
        await connection.end()

    return script


def answers(status: int, body: bytes, **headers: str) -> Script:
    async def script(request: Request, connection: Connection) -> None:
        await connection.whole(status, body, **headers)

    return script


async def stats(proxy: Proxy) -> Any:
    await eventually(lambda: proxy.gateway.in_flight == 0)
    return (await ask(proxy, None, method="GET", path="/v1/stats")).json


async def test_a_stream_passes_byte_for_byte() -> None:
    async with (
        running_upstream(streams(*EVENTS)) as upstream,
        running_proxy([native(upstream.base)]) as proxy,
    ):
        reply = await ask(proxy, RAW, path="/v1/messages?beta=true")
        counted = await stats(proxy)
    assert reply.body == b"".join(EVENTS)
    assert upstream.requests[0].body == RAW
    assert upstream.requests[0].path == "/v1/messages?beta=true"
    assert reply.headers["request-id"] == "req_upstream"
    assert reply.headers["anthropic-ratelimit-requests-remaining"] == "5"
    assert (counted["total_input_tokens"], counted["total_output_tokens"]) == (7, 9)
    assert counted["total_cache_read_tokens"] == 3


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_cuts_between_reads_change_nothing(size: int) -> None:
    whole = b"".join(EVENTS)
    pieces = [whole[i : i + size] for i in range(0, len(whole), size)]
    entry = {"model_name": "real"}
    async with (
        running_upstream(streams(*pieces)) as upstream,
        running_proxy([native(upstream.base, **entry)]) as proxy,
    ):
        reply = await ask(proxy, RAW)
        counted = await stats(proxy)
    assert reply.body == whole.replace(b'"model":"real","content"', b'"model":"m","content"')
    assert counted["total_output_tokens"] == 9


async def test_only_the_models_name_is_edited_in_both_directions() -> None:
    async with (
        running_upstream(streams(*EVENTS)) as upstream,
        running_proxy([native(upstream.base, model_name="real")]) as proxy,
    ):
        reply = await ask(proxy, RAW)
    assert upstream.requests[0].body == RAW.replace(b'"model":"m",\n', b'"model":"real",\n')
    assert reply.body == b"".join(EVENTS).replace(b'"model":"real","content"', b'"model":"m","content"')


@pytest.mark.parametrize(
    ("restore", "expected"), [(True, ANSWER.replace(b': "real"', b': "m"')), (False, ANSWER)]
)
async def test_a_whole_answer(restore: bool, expected: bytes) -> None:
    script = answers(200, ANSWER)
    async with running_upstream(script) as upstream:
        entry = native(upstream.base, model_name="real", restore_model_name=restore)
        async with running_proxy([entry]) as proxy:
            reply = await ask(proxy)
            counted = await stats(proxy)
    assert reply.body == expected
    assert counted["total_output_tokens"] == 9


async def test_max_tokens_is_clamped_in_place() -> None:
    async with (
        running_upstream(streams(*EVENTS)) as upstream,
        running_proxy([native(upstream.base, max_tokens=8192)]) as proxy,
    ):
        reply = await ask(proxy, RAW, headers={"x-proxy-report": "1"})
    assert upstream.requests[0].body == RAW.replace(b"64000", b"8192")
    assert reply.headers["x-proxy-notices"] == "max_tokens_clamped"


@pytest.mark.parametrize("stream", [False, True])
async def test_errors_pass_unwrapped(stream: bool) -> None:
    body = b'{"type":"error","error":{"type":"rate_limit_error","message":"no"},"request_id":"req_9"}\n'
    script = answers(429, body, retry_after="9", request_id="req_9", x_should_retry="true")
    async with running_upstream(script) as upstream, running_proxy([native(upstream.base)]) as proxy:
        reply = await ask(proxy, {**BODY, "stream": stream})
    assert (reply.status, reply.body) == (429, body)
    assert (reply.headers["retry-after"], reply.headers["request-id"]) == ("9", "req_9")
    assert reply.headers["x-should-retry"] == "true"


@pytest.mark.parametrize("kind", [b"[]", b"{}", b"[[1]]", b"null", b"1", b"[" * 800 + b"]" * 800])
async def test_an_error_of_a_strange_type_passes_too(kind: bytes) -> None:
    body = b'{"type":"error","error":{"type":%b,"message":"no"}}' % kind
    async with (
        running_upstream(answers(400, body)) as upstream,
        running_proxy([native(upstream.base)]) as proxy,
    ):
        reply = await ask(proxy)
    assert (reply.status, reply.body) == (400, body)


SENT = {
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "one-1, two-2",
    "x-claude-code-session-id": "s",
    "x-stainless-os": "Linux",
    "x-unknown": "kept",
    "user-agent": "claude-cli/2",
    "connection": "keep-alive, x-hop",
    "x-hop": "dropped",
    "te": "trailers",
    "cookie": "a=b",
    "x-proxy-report": "1",
    "x-forwarded-for": "10.0.0.1",
    "accept-encoding": "gzip, br",
}


async def test_end_to_end_headers_pass_and_others_do_not() -> None:
    async with (
        running_upstream(answers(200, ANSWER, set_cookie="a=b", x_new="y")) as upstream,
        running_proxy([native(upstream.base)]) as proxy,
    ):
        reply = await ask(proxy, headers=SENT)
    received = {name.lower(): value for name, value in upstream.requests[0].headers}
    for name in list(SENT)[:6]:
        assert received[name] == SENT[name]
    for name in ("x-hop", "te", "cookie", "x-proxy-report", "x-forwarded-for"):
        assert name not in received
    assert received["accept-encoding"] == "identity"
    assert reply.headers["x-new"] == "y"
    assert "set-cookie" not in reply.headers


@pytest.mark.parametrize(
    ("sent", "auth", "received"),
    [
        ({"authorization": f"Bearer {KEY}"}, None, {"authorization": f"Bearer {KEY}"}),
        ({"x-api-key": KEY}, None, {"x-api-key": KEY}),
        (
            {"authorization": f"Bearer {KEY}", "x-api-key": "other"},
            None,
            {"authorization": f"Bearer {KEY}", "x-api-key": "other"},
        ),
        ({"x-api-key": KEY}, "bearer", {"authorization": f"Bearer {KEY}"}),
        ({"authorization": KEY}, "x-api-key", {"x-api-key": KEY}),
    ],
)
async def test_the_form_of_the_key(sent: dict[str, str], auth: str | None, received: dict[str, str]) -> None:
    async with running_upstream(answers(200, ANSWER)) as upstream:
        entry = native(upstream.base, **({"auth": auth} if auth else {}))
        async with running_proxy([entry]) as proxy:
            await ask(proxy, headers=sent, key=None)
    names = ("authorization", "x-api-key", "api-key")
    assert {n.lower(): v for n, v in upstream.requests[0].headers if n.lower() in names} == received


async def test_what_the_entry_says_is_dropped() -> None:
    entry = {
        "drop_betas": ["context-*"],
        "drop_fields": ["context_management", "output_config.effort", "tools.*.defer_loading"],
        "mid_system": "user_wrap",
    }
    seal = seal_reasoning("deepseek", "m", "none", [])
    body = {
        **BODY,
        "context_management": {"edits": []},
        "output_config": {"effort": "high", "format": None},
        "tools": [{"name": "a", "defer_loading": True}, {"name": "b"}, {"name": "c", "defer_loading": True}],
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "system", "content": "be brief"},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "t", "signature": seal}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "t", "signature": "theirs"},
                    {"type": "thinking", "thinking": "t", "signature": seal},
                    {"type": "redacted_thinking", "data": seal},
                    {"type": "redacted_thinking", "data": "theirs"},
                    {"type": "text", "text": "hello"},
                ],
            },
            {"role": "user", "content": "go on"},
        ],
    }
    async with (
        running_upstream(answers(200, ANSWER)) as upstream,
        running_proxy([native(upstream.base, **entry)]) as proxy,
    ):
        headers = {"anthropic-beta": "context-management-1, other-2", "x-proxy-report": "1"}
        reply = await ask(proxy, body, headers=headers)
    request = upstream.requests[0]
    assert request.header("anthropic-beta") == "other-2"
    received = request.json
    assert "context_management" not in received
    assert received["output_config"] == {"format": None}
    assert received["tools"] == [{"name": "a"}, {"name": "b"}, {"name": "c"}]
    reminder = "<system-reminder>\nbe brief\n</system-reminder>"
    assert received["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "text", "text": reminder}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "t", "signature": "theirs"},
                {"type": "redacted_thinking", "data": "theirs"},
                {"type": "text", "text": "hello"},
            ],
        },
        {"role": "user", "content": "go on"},
    ]
    assert set(reply.headers["x-proxy-notices"].split(",")) == {"field_dropped", "foreign_thinking"}


def search(use_id: str, query: str, *results: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "server_tool_use", "id": use_id, "name": "web_search", "input": {"query": query}},
        {"type": "web_search_tool_result", "tool_use_id": use_id, "content": list(results)},
    ]


def result(url: str, secret: str, title: str) -> dict[str, Any]:
    return {
        "type": "web_search_result",
        "url": url,
        "title": title,
        "encrypted_content": secret,
        "page_age": None,
    }


async def test_searches_of_another_provider_become_text() -> None:
    theirs = search("srvtoolu_2", "b", result("https://b.example", "E", "B"))
    failed = {
        "type": "web_search_tool_result",
        "tool_use_id": "srvtoolu_3",
        "content": {"type": "web_search_tool_result_error", "error_code": "unavailable"},
    }
    ours = search("srvtoolu_1", "a", events.web_search_result("", (Page("https://a.example"),))["content"][0])
    ours[1]["cache_control"] = {"type": "ephemeral"}
    body = {
        **BODY,
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [*ours, {"type": "text", "text": "x"}, *theirs, failed]},
            {"role": "user", "content": "go on"},
        ],
    }
    async with (
        running_upstream(answers(200, ANSWER)) as upstream,
        running_proxy([native(upstream.base)]) as proxy,
    ):
        reply = await ask(proxy, body, headers={"x-proxy-report": "1"})
    _, message, _ = upstream.requests[0].json["messages"]
    assert message["content"] == [
        {"type": "text", "text": '[web_search {"query":"a"}]'},
        {
            "type": "text",
            "text": "https://a.example - https://a.example",
            "cache_control": {"type": "ephemeral"},
        },
        {"type": "text", "text": "x"},
        *theirs,
        failed,
    ]
    assert reply.headers["x-proxy-notices"] == "search_as_text"


# --- the same limits as on the converted path ---------------------------------------------------------
async def test_a_cut_stream_ends_with_an_error() -> None:
    async def script(request: Request, connection: Connection) -> None:
        await connection.head()
        await connection.chunk(b"".join(EVENTS[:4]) + EVENTS[4][:10])
        await asyncio.sleep(0.05)
        connection.reset()

    async with running_upstream(script) as upstream, running_proxy([native(upstream.base)]) as proxy:
        reply = await ask(proxy, RAW)
    assert reply.body.startswith(b"".join(EVENTS[:4]) + b"event: error\n")
    assert b"message_stop" not in reply.body


@pytest.mark.parametrize("events", [EVENTS[:4], (*EVENTS[:4], EVENTS[5][:20])])
async def test_an_end_that_the_upstream_did_not_announce_is_an_error(events: tuple[bytes, ...]) -> None:
    async with (
        running_upstream(streams(*events)) as upstream,
        running_proxy([native(upstream.base)]) as proxy,
    ):
        reply = await ask(proxy, RAW)
    assert b"event: error\n" in reply.body


async def test_a_stream_without_any_event_is_an_http_error() -> None:
    async with running_upstream(streams()) as upstream, running_proxy([native(upstream.base)]) as proxy:
        reply = await ask(proxy, RAW)
    assert (reply.status, reply.json["error"]["type"]) == (502, "api_error")


async def test_an_error_event_of_the_upstream_is_the_end() -> None:
    error = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"x"}}\n\n'
    async with (
        running_upstream(streams(EVENTS[0], error)) as upstream,
        running_proxy([native(upstream.base)]) as proxy,
    ):
        reply = await ask(proxy, RAW)
    assert reply.body == EVENTS[0] + error


async def test_nothing_follows_the_end_of_a_stream() -> None:
    async def script(request: Request, connection: Connection) -> None:
        await connection.head()
        await connection.chunk(b"".join(EVENTS))
        while True:
            await connection.chunk(EVENTS[1])
            await asyncio.sleep(0.01)

    async with (
        running_upstream(script) as upstream,
        running_proxy([native(upstream.base)], linger_timeout=0.05) as proxy,
    ):
        reply = await asyncio.wait_for(ask(proxy, RAW), 5)
        await eventually(lambda: upstream.open_connections == 0)
    assert reply.body.startswith(b"".join(EVENTS))


async def test_an_end_within_a_block_is_none() -> None:
    block = (
        b'event: content_block_start\ndata: {"content_block":{"type":"tool_use","id":"t","name":"n",'
        b'"input":{"type":"message_stop"}},"index":1,"type":"content_block_start"}\n\n'
    )
    nested = block.replace(b'"type":"tool_use"', b'"of":{"type":"error"},"type":"tool_use"')
    async with (
        running_upstream(streams(*EVENTS[:6], nested, *EVENTS[6:])) as upstream,
        running_proxy([native(upstream.base)]) as proxy,
    ):
        reply = await ask(proxy, RAW)
    assert reply.body == b"".join((*EVENTS[:6], nested, *EVENTS[6:]))


async def test_silence_gets_pings_and_progress_between_events_only() -> None:
    async def script(request: Request, connection: Connection) -> None:
        await connection.head()
        await connection.chunk(EVENTS[0] + EVENTS[2] + EVENTS[3][:30])
        await asyncio.sleep(1.0)
        await connection.chunk(EVENTS[3][30:] + b"".join(EVENTS[5:]))
        await connection.end()

    async with running_upstream(script) as upstream:
        limits = {"ping_interval": 0.1, "progress_interval": 0.35, "hold": 0.1}
        async with running_proxy([native(upstream.base)], **limits) as proxy:
            reply = await ask(proxy, RAW)
    ping = b'event: ping\ndata: {"type":"ping"}\n\n'
    assert reply.body.count(ping) >= 2
    progress = (
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        b'"delta":{"type":"text_delta","text":""}}\n\n'
    )
    assert reply.body.count(progress) >= 1
    rest = reply.body.replace(ping, b"").replace(progress, b"")
    assert rest == EVENTS[0] + EVENTS[2] + EVENTS[3] + b"".join(EVENTS[5:])


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (
            b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}',
            "overloaded_error",
            "busy",
        ),
        (b"<html>bad</html>", "api_error", "<html>bad</html>"),
    ],
)
async def test_a_late_error_is_told_in_the_stream(body: bytes, kind: str, words: str) -> None:
    async def script(request: Request, connection: Connection) -> None:
        await asyncio.sleep(0.4)
        await connection.whole(529, body)

    async with (
        running_upstream(script) as upstream,
        running_proxy([native(upstream.base)], hold=0.1) as proxy,
    ):
        reply = await ask(proxy, RAW)
    assert reply.status == 200
    assert reply.events[-1]["error"]["type"] == kind
    assert words in reply.events[-1]["error"]["message"]


async def test_a_late_stream_begins_with_a_ping() -> None:
    async def script(request: Request, connection: Connection) -> None:
        await asyncio.sleep(0.4)
        await streams(*EVENTS)(request, connection)

    async with (
        running_upstream(script) as upstream,
        running_proxy([native(upstream.base)], hold=0.1) as proxy,
    ):
        reply = await ask(proxy, RAW)
    assert reply.body == b'event: ping\ndata: {"type":"ping"}\n\n' + b"".join(EVENTS)


async def test_overload_is_tried_again_and_then_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_FIRST_DELAY", 0.01)
    async with (
        running_upstream(answers(503, b"full")) as upstream,
        running_proxy([native(upstream.base)]) as proxy,
    ):
        reply = await ask(proxy, RAW)
    assert (reply.status, reply.body) == (503, b"full")
    assert len(upstream.requests) == 3


async def test_a_client_that_leaves_stops_the_upstream() -> None:
    async def script(request: Request, connection: Connection) -> None:
        await connection.head()
        await connection.chunk(EVENTS[0])
        await connection.left()

    async with running_upstream(script) as upstream, running_proxy([native(upstream.base)]) as proxy:
        client = await Client.connect(proxy)
        await client.send(RAW)
        await client.head()
        client.close()
        await eventually(lambda: upstream.open_connections == 0, within=1)


# --- count_tokens -------------------------------------------------------------------------------------
async def test_counting_is_the_upstreams_where_it_can() -> None:
    async with (
        running_upstream(answers(200, b'{"input_tokens": 77}')) as upstream,
        running_proxy([native(upstream.base, model_name="real")]) as proxy,
    ):
        reply = await ask(proxy, BODY, path="/v1/messages/count_tokens")
    assert reply.body == b'{"input_tokens": 77}'
    assert upstream.requests[0].path == "/v1/messages/count_tokens"
    assert upstream.requests[0].json["model"] == "real"


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_counting_is_ours_where_the_upstream_cannot(status: int) -> None:
    async with (
        running_upstream(answers(status, b"no")) as upstream,
        running_proxy([native(upstream.base)]) as proxy,
    ):
        reply = await ask(proxy, BODY, path="/v1/messages/count_tokens")
    assert reply.status == 200
    assert json.loads(reply.body)["input_tokens"] > 0
