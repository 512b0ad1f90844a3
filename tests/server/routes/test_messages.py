import asyncio
import gzip
import json
import logging
import zlib
from typing import Any

import pytest

from tests.server.byte_upstream import Connection, Request, running_upstream, say_hello, text_chunk
from tests.server.harness import BODY, KEY, Client, ask, model, running_proxy

STREAM = {**BODY, "stream": True}


async def test_whole_answer() -> None:
    async with running_upstream(say_hello) as upstream, running_proxy([model(upstream.base)]) as proxy:
        reply = await ask(proxy)
    assert reply.status == 200
    message = reply.json
    assert message["content"] == [{"type": "text", "text": "Hello"}]
    assert (message["role"], message["model"], message["stop_reason"]) == ("assistant", "m", "end_turn")
    assert message["usage"]["input_tokens"] == 11
    assert message["usage"]["output_tokens"] == 5
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["request-id"].startswith("req_")
    assert reply.headers["x-upstream-request-id"] == "up-1"
    assert reply.headers["x-proxy-upstream-model"] == "m"


async def test_stream() -> None:
    async with running_upstream(say_hello) as upstream, running_proxy([model(upstream.base)]) as proxy:
        reply = await ask(proxy, STREAM)
    assert [t for t in reply.types if t != "ping"] == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * (reply.types.count("content_block_delta")),
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    text = "".join(e["delta"]["text"] for e in reply.events if e["type"] == "content_block_delta")
    assert text == "Hello"
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert reply.headers["cache-control"] == "no-cache"
    assert reply.headers["x-accel-buffering"] == "no"
    start = next(e for e in reply.events if e["type"] == "message_start")
    assert start["message"]["usage"]["input_tokens"] > 0


async def test_what_the_upstream_receives() -> None:
    async with running_upstream(say_hello) as upstream:
        entry = model(upstream.base, model_name="real", extra_headers={"X-Team": "blue"})
        async with running_proxy([entry]) as proxy:
            await ask(proxy, STREAM, headers={"anthropic-beta": "x", "x-stainless-os": "y", "cookie": "a=b"})
    request = upstream.requests[0]
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.json["model"] == "real"
    names = {name.lower() for name, _ in request.headers}
    assert names == {
        "host",
        "authorization",
        "content-type",
        "content-length",
        "accept",
        "accept-encoding",
        "user-agent",
        "x-team",
    }
    assert request.header("authorization") == f"Bearer {KEY}"
    assert request.header("accept-encoding") == "identity"
    assert str(request.header("user-agent")).startswith("claude-code-proxy/")


async def test_an_upstream_that_cannot_stream_is_replayed() -> None:
    async with (
        running_upstream(say_hello) as upstream,
        running_proxy([model(upstream.base, can_stream=False)]) as proxy,
    ):
        reply = await ask(proxy, STREAM)
    assert not upstream.requests[0].json.get("stream")
    assert reply.types[0] == "message_start"
    assert reply.types[-1] == "message_stop"
    assert "Hello" in reply.body.decode()


async def test_gzip_that_nobody_asked_for_is_read_all_the_same() -> None:
    async def script(request: Request, connection: Connection) -> None:
        packer = zlib.compressobj(wbits=31)
        await connection.head(content_encoding="gzip")
        for event in (text_chunk("Hello"), text_chunk(finish="stop")):
            data = b"data: " + json.dumps(event).encode() + b"\n\n"
            await connection.chunk(packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))
        await connection.chunk(packer.flush())
        await connection.end()

    async with running_upstream(script) as upstream, running_proxy([model(upstream.base)]) as proxy:
        reply = await ask(proxy, STREAM)
    assert reply.types[-1] == "message_stop"
    assert "Hello" in reply.body.decode()


async def test_connections_are_reused() -> None:
    async with running_upstream(say_hello) as upstream, running_proxy([model(upstream.base)]) as proxy:
        for _ in range(5):
            await ask(proxy, STREAM)
            await asyncio.sleep(0.02)
        assert len(upstream.requests) == 5
        assert upstream.connections == 1


@pytest.mark.parametrize(
    ("raw", "status", "kind", "words"),
    [
        (b"", 400, "invalid_request_error", "not valid JSON"),
        (b'{"model": "m",\n  "max_tokens": }', 400, "invalid_request_error", "line 2 column 17"),
        (b"[1]", 400, "invalid_request_error", "must be a JSON object"),
        (b"{}", 400, "invalid_request_error", "model: must be"),
        (b'{"model": 5}', 400, "invalid_request_error", "model: must be"),
        (b'{"model": "m"}', 400, "invalid_request_error", "m"),
        (b'{"model": "nope", "max_tokens": 1}', 404, "not_found_error", "model: nope"),
        (b'"' + b"x" * 3000 + b'"', 413, "request_too_large", "2000 bytes"),
    ],
)
async def test_a_bad_request_is_told_where(raw: bytes, status: int, kind: str, words: str) -> None:
    async with running_proxy([model("http://127.0.0.1:1")], max_body_bytes=2000) as proxy:
        reply = await ask(proxy, raw)
    assert (reply.status, reply.json["error"]["type"]) == (status, kind)
    assert words in reply.json["error"]["message"]
    assert reply.json["type"] == "error"
    assert reply.json["request_id"] == reply.headers["request-id"]


async def test_too_large_a_body_without_a_length_is_refused() -> None:
    async with running_proxy([model("http://127.0.0.1:1")], max_body_bytes=2000) as proxy:
        client = await Client.connect(proxy)
        client.writer.write(b"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nx-api-key: k\r\n")
        client.writer.write(b"transfer-encoding: chunked\r\n\r\n" + b"%x\r\n" % 3000 + b"x" * 3000 + b"\r\n")
        reply = await client.reply()
        client.close()
    assert reply.status == 413


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity"])
async def test_compressed_requests(encoding: str) -> None:
    raw = json.dumps(BODY).encode()
    packed = {"gzip": gzip.compress, "deflate": zlib.compress, "identity": lambda data: data}[encoding](raw)
    async with running_upstream(say_hello) as upstream, running_proxy([model(upstream.base)]) as proxy:
        reply = await ask(proxy, packed, headers={"content-encoding": encoding})
    assert reply.status == 200


@pytest.mark.parametrize(
    ("data", "encoding", "status"),
    [
        (b"x", "br", 415),
        (b"x", "gzip", 400),
        (gzip.compress(b"{}", mtime=0)[:-9], "gzip", 400),
        (gzip.compress(b" " * 100_000, mtime=0), "gzip", 413),
    ],
)
async def test_bad_compressed_requests(data: bytes, encoding: str, status: int) -> None:
    async with running_proxy([model("http://127.0.0.1:1")], max_body_bytes=2000) as proxy:
        reply = await ask(proxy, data, headers={"content-encoding": encoding})
    assert reply.status == status


async def test_no_key() -> None:
    async with running_proxy([model("http://127.0.0.1:1")]) as proxy:
        reply = await ask(proxy, key=None)
    assert (reply.status, reply.json["error"]["type"]) == (401, "authentication_error")
    assert reply.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("stream", [False, True])
async def test_an_upstream_error_is_an_http_error(stream: bool) -> None:
    async def script(request: Request, connection: Connection) -> None:
        error = {"error": {"message": f"slow down, {KEY}", "code": "rate_limit_exceeded"}}
        await connection.whole(429, error, retry_after="7")

    async with running_upstream(script) as upstream, running_proxy([model(upstream.base)]) as proxy:
        reply = await ask(proxy, {**BODY, "stream": stream})
    assert (reply.status, reply.json["error"]["type"]) == (429, "rate_limit_error")
    assert reply.headers["retry-after"] == "7"
    assert "slow down" in reply.json["error"]["message"]
    assert KEY.encode() not in reply.body


@pytest.mark.parametrize("stream", [False, True])
async def test_an_error_as_the_first_thing_in_a_200_is_an_http_error(stream: bool) -> None:
    async def script(request: Request, connection: Connection) -> None:
        error = {"error": {"message": "overloaded", "code": 503}}
        if stream:
            await connection.head()
            await connection.event(error)
            await connection.end()
        else:
            await connection.whole(200, error)

    async with running_upstream(script) as upstream, running_proxy([model(upstream.base)]) as proxy:
        reply = await ask(proxy, {**BODY, "stream": stream})
    assert reply.status >= 500
    assert "overloaded" in reply.json["error"]["message"]


async def test_a_correction_the_upstream_asks_for_is_made() -> None:
    async def script(request: Request, connection: Connection) -> None:
        if "max_tokens" in request.json:
            words = (
                "Unsupported parameter: 'max_tokens' is not supported with this model. "
                "Use 'max_completion_tokens' instead."
            )
            error = {"message": words, "param": "max_tokens", "code": "unsupported_parameter"}
            await connection.whole(400, {"error": error})
        else:
            await say_hello(request, connection)

    async with running_upstream(script) as upstream, running_proxy([model(upstream.base)]) as proxy:
        reply = await ask(proxy, headers={"x-proxy-report": "1"})
    assert reply.status == 200
    assert upstream.requests[-1].json["max_completion_tokens"] == 100
    assert "corrected" in reply.headers["x-proxy-notices"]


@pytest.mark.parametrize("stream", [False, True])
async def test_warming_the_cache_calls_nobody(stream: bool) -> None:
    async with running_proxy([model("http://127.0.0.1:1")]) as proxy:
        reply = await ask(proxy, {**BODY, "max_tokens": 0, "stream": stream})
    assert reply.status == 200
    if stream:
        assert reply.types == ["message_start", "message_delta", "message_stop"]
        assert reply.events[1]["delta"]["stop_reason"] == "max_tokens"
    else:
        assert (reply.json["content"], reply.json["stop_reason"]) == ([], "max_tokens")


async def test_redirects_are_not_followed() -> None:
    async def script(request: Request, connection: Connection) -> None:
        await connection.whole(307, b"", location="http://elsewhere.example/v1")

    async with running_upstream(script) as upstream, running_proxy([model(upstream.base)]) as proxy:
        reply = await ask(proxy)
    assert reply.status == 502
    assert "elsewhere.example" in reply.json["error"]["message"]
    assert len(upstream.requests) == 1


async def test_an_answer_beyond_the_limit_is_an_error() -> None:
    async def script(request: Request, connection: Connection) -> None:
        await connection.whole(200, b" " * 50_000)

    async with (
        running_upstream(script) as upstream,
        running_proxy([model(upstream.base)], max_response_bytes=10_000) as proxy,
    ):
        reply = await ask(proxy)
    assert reply.status == 502
    assert "max_response_bytes" in reply.json["error"]["message"]


async def test_large_requests_go_through() -> None:
    big = {**BODY, "messages": [{"role": "user", "content": "x" * 3_000_000}]}
    async with running_upstream(say_hello) as upstream, running_proxy([model(upstream.base)]) as proxy:
        reply = await ask(proxy, big)
    assert reply.status == 200
    assert len(upstream.requests[0].body) > 3_000_000


async def test_the_key_is_in_the_upstream_header_and_nowhere_else(caplog: pytest.LogCaptureFixture) -> None:
    async def script(request: Request, connection: Connection) -> None:
        await connection.whole(401, {"error": {"message": f"Incorrect API key provided: {KEY}"}})

    caplog.set_level(logging.DEBUG)
    out: list[str] = []
    async with running_upstream(script) as upstream, running_proxy([model(upstream.base)]) as proxy:
        out += [repr(await ask(proxy, {**BODY, "stream": stream})) for stream in (False, True)]
        out.append(repr(await ask(proxy, {**BODY, "model": KEY})))
        for path in ("/v1/stats", "/health", "/test-connection", "/v1/models", f"/v1/models/{KEY}"):
            reply = await ask(proxy, None, method="GET", path=path)
            if KEY not in path:
                out.append(repr(reply))
    assert [name.lower() for name, value in upstream.requests[0].headers if KEY in value] == ["authorization"]
    assert KEY not in "".join(out[:2] + out[3:])
    assert KEY not in caplog.text


async def test_one_line_per_request(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "claude_code_proxy")
    async with running_upstream(say_hello) as upstream, running_proxy([model(upstream.base)]) as proxy:
        reply = await ask(proxy, STREAM)
        await asyncio.sleep(0.05)
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert len(lines) == 1
    for word in ("POST /v1/messages m 200", "ttft=", "in=11", "out=5", reply.headers["request-id"]):
        assert word in lines[0]


async def test_a_notice_is_warned_of_once_per_session(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "claude_code_proxy")
    body: dict[str, Any] = {**BODY, "top_k": 5}
    async with running_upstream(say_hello) as upstream, running_proxy([model(upstream.base)]) as proxy:
        for session in ("a", "a", "b"):
            await ask(proxy, body, headers={"x-claude-code-session-id": session})
        await asyncio.sleep(0.05)
    assert len([record for record in caplog.records if "top_k" in record.getMessage()]) == 2
