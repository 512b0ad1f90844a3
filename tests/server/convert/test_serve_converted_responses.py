"""The Responses format through the real server: the address, the body, the answer, the errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.server.byte_upstream import Connection, Request, running_upstream
from tests.server.harness import BODY, KEY, Client, ask, eventually, model, running_proxy

USAGE = {"input_tokens": 11, "output_tokens": 5, "total_tokens": 16}
REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "E1=="}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "Read", "arguments": '{"a":1}'}
TEXT = {"type": "message", "id": "msg_1", "content": [{"type": "output_text", "text": "Hello"}]}
TOOL = {"name": "Read", "input_schema": {"type": "object", "properties": {"a": {"type": "integer"}}}}


async def stream(connection: Connection, events: list[dict[str, Any]]) -> None:
    await connection.head()
    for event in events:
        await connection.chunk(
            b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event).encode())
        )


async def act(request: Request, connection: Connection) -> None:
    """A call with reasoning first; a text when its result has come."""
    output = [TEXT] if "function_call_output" in str(request.json["input"]) else [REASONING, CALL]
    response = {"object": "response", "status": "completed", "output": output, "usage": USAGE}
    if not request.json.get("stream"):
        await connection.whole(200, response)
        return
    events: list[dict[str, Any]] = [{"type": "response.created", "response": {"status": "in_progress"}}]
    for place, item in enumerate(output):
        events.append({"type": "response.output_item.added", "output_index": place, "item": item})
        events.append({"type": "response.output_item.done", "output_index": place, "item": item})
    events.append({"type": "response.completed", "response": response})
    await stream(connection, events)
    # no [DONE] and no end of the body: the terminal event is the end
    await connection.left()


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_tool_turn(streamed: bool) -> None:
    async with running_upstream(act) as upstream:
        entry = model(upstream.base, model_name="gpt-5.5", profile="openai")
        async with running_proxy([entry]) as proxy:
            body: dict[str, Any] = {
                **BODY,
                "stream": streamed,
                "tools": [TOOL],
                "thinking": {"type": "adaptive"},
            }
            reply = await ask(proxy, body)
            assert reply.status == 200
            if streamed:
                starts = [e["content_block"] for e in reply.events if e["type"] == "content_block_start"]
                assert reply.events[-2]["delta"]["stop_reason"] == "tool_use"
                assert reply.events[-2]["usage"]["output_tokens"] == 5
                content = [starts[0], {**starts[1], "input": {"a": 1}}]
            else:
                content = reply.json["content"]
                assert reply.json["stop_reason"] == "tool_use"
            assert [block["type"] for block in content] == ["redacted_thinking", "tool_use"]
            assert content[1]["id"] == "call_1"
            result = {"type": "tool_result", "tool_use_id": "call_1", "content": "ok"}
            body["messages"] = [
                *BODY["messages"],
                {"role": "assistant", "content": content},
                {"role": "user", "content": [result]},
            ]
            reply = await ask(proxy, body)
            assert b"Hello" in reply.body
            first, second = upstream.requests
            assert first.path == second.path == "/v1/responses"
            assert first.header("authorization") == f"Bearer {KEY}"
            assert first.json["store"] is False
            assert first.json["tools"][0]["strict"] is False
            assert "stream_options" not in first.json
            call = {key: value for key, value in CALL.items() if key != "id"}
            output = {"type": "function_call_output", "call_id": "call_1", "output": "ok"}
            assert second.json["input"][1:] == [REASONING, call, output]


@pytest.mark.parametrize(
    ("entry", "path"),
    [
        ({"api": "responses"}, "/v1/responses"),
        ({"model_id": "*", "model_name": "*", "profile": "openai"}, "/v1/responses"),
        ({"profile": "openai", "api": "chat"}, "/v1/chat/completions"),
    ],
)
async def test_the_address_follows_the_api(entry: dict[str, Any], path: str) -> None:
    async with running_upstream(act) as upstream:
        config = model(upstream.base, **{"model_id": "gpt-5.5", **entry})
        async with running_proxy([config]) as proxy:
            reply = await ask(
                proxy, {**BODY, "model": "gpt-5.5"}, path="/v1/messages/test_conversion?dry_run=1"
            )
            assert reply.json["upstream_url"] == upstream.base + path
            assert ("input" in reply.json["upstream_request"]) == path.endswith("responses")


async def test_a_base_that_names_the_endpoint() -> None:
    async with (
        running_upstream(act) as upstream,
        running_proxy([model(f"{upstream.base}/x/responses")]) as proxy,
    ):
        reply = await ask(proxy)
        assert reply.status == 200
        assert upstream.requests[0].path == "/x/responses"
        assert "input" in upstream.requests[0].json


async def test_an_upstream_that_cannot_stream() -> None:
    async with (
        running_upstream(act) as upstream,
        running_proxy([model(upstream.base, api="responses", can_stream=False)]) as proxy,
    ):
        reply = await ask(proxy, {**BODY, "stream": True})
        assert reply.types[-1] == "message_stop"
        assert upstream.requests[0].json["stream"] is False


ERROR = {"type": "error", "error": {"code": "rate_limit_exceeded", "message": "slow down"}}
FAILED = {"type": "response.failed", "response": {"status": "failed", "error": ERROR["error"]}}
CREATED = {"type": "response.created", "response": {"status": "in_progress"}}
DELTA = {"type": "response.output_text.delta", "output_index": 0, "delta": "Hel"}


async def test_a_failure_before_the_answer_is_an_http_error() -> None:
    async def fail(_: Request, connection: Connection) -> None:
        await stream(connection, [CREATED, ERROR, FAILED])
        await connection.end()

    async with (
        running_upstream(fail) as upstream,
        running_proxy([model(upstream.base, api="responses")]) as proxy,
    ):
        reply = await ask(proxy, {**BODY, "stream": True})
        assert reply.status == 429
        assert "slow down" in reply.json["error"]["message"]


@pytest.mark.parametrize("last", [[ERROR, FAILED], []])
async def test_a_failure_or_a_cut_in_the_answer_is_one_error_event(last: list[dict[str, Any]]) -> None:
    async def fail(_: Request, connection: Connection) -> None:
        await stream(connection, [CREATED, DELTA, *last])
        await connection.end()

    async with (
        running_upstream(fail) as upstream,
        running_proxy([model(upstream.base, api="responses")]) as proxy,
    ):
        reply = await ask(proxy, {**BODY, "stream": True})
        assert reply.types.count("error") == 1
        assert reply.types[-1] == "error"
        assert "message_stop" not in reply.types


async def test_the_clients_leaving_ends_the_upstream() -> None:
    gone: list[bool] = []

    async def talk(_: Request, connection: Connection) -> None:
        await stream(connection, [CREATED, DELTA])
        await connection.left()
        gone.append(True)

    async with (
        running_upstream(talk) as upstream,
        running_proxy([model(upstream.base, api="responses")]) as proxy,
    ):
        client = await Client.connect(proxy)
        await client.send({**BODY, "stream": True})
        await client.head()
        client.close()
        await eventually(lambda: gone)


async def test_the_clients_leaving_before_a_whole_answer_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "claude_code_proxy")
    gone: list[bool] = []

    async def think(_: Request, connection: Connection) -> None:
        await connection.left()
        gone.append(True)

    async with (
        running_upstream(think) as upstream,
        running_proxy([model(upstream.base, api="responses")]) as proxy,
    ):
        client = await Client.connect(proxy)
        await client.send(BODY)
        await eventually(lambda: upstream.requests)
        client.close()
        await eventually(lambda: gone)
        await eventually(lambda: " gone " in caplog.text)
    assert "failed" not in caplog.text


async def test_count_tokens_reads_the_format() -> None:
    body = {**BODY, "messages": [{"role": "user", "content": "word " * 1000}]}
    async with running_proxy(
        [
            model("http://127.0.0.1:9", model_id="chat"),
            model("http://127.0.0.1:9", model_id="resp", api="responses"),
        ]
    ) as proxy:
        counts = [
            (await ask(proxy, {**body, "model": name}, path="/v1/messages/count_tokens")).json["input_tokens"]
            for name in ("chat", "resp")
        ]
        assert counts[0] == counts[1] > 900
