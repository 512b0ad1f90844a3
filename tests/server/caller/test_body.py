"""Bodies that would take more memory or time than they should."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from typing import Any

import pytest

from tests.server.byte_upstream import running_upstream, say_hello
from tests.server.harness import BODY, Client, ask, eventually, model, running_proxy

NOWHERE = [
    model("http://127.0.0.1:1"),
    {"model_id": "n", "api_base": "http://127.0.0.1:1", "format": "anthropic"},
]
DRY = "/v1/messages/test_conversion?dry_run=1"
MANY = b'{"model":"m","max_tokens":5,"messages":[' + b"{}," * 20_000_000 + b"{}]}"


@pytest.mark.parametrize("path", [DRY, "/v1/messages", "/v1/messages/count_tokens"])
@pytest.mark.parametrize("packed", [False, True])
async def test_twenty_million_elements_are_refused_before_any_is_made(path: str, packed: bool) -> None:
    body = zlib.compress(MANY, 1, 31) if packed else MANY
    headers = {"content-encoding": "gzip"} if packed else {}
    async with running_proxy(NOWHERE, max_unpack_ratio=2000) as proxy:
        waits: list[float] = []
        watching = asyncio.create_task(longest_wait(waits))
        began = asyncio.get_running_loop().time()
        reply = await ask(proxy, body, path=path, headers=headers)
        took = asyncio.get_running_loop().time() - began
        watching.cancel()
    assert (reply.status, reply.json["error"]["type"]) == (413, "request_too_large")
    assert "max_json_elements" in reply.json["error"]["message"]
    assert took < 10
    if packed:  # else the client, which is on the same loop, is busy with sending
        assert max(waits) < 0.5


async def longest_wait(waits: list[float]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        began = loop.time()
        await asyncio.sleep(0.01)
        waits.append(loop.time() - began)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "gzip, gzip", "gzip, deflate, gzip"])
async def test_a_small_body_that_becomes_large_is_refused(encoding: str) -> None:
    body = MANY
    for name in encoding.split(", "):
        body = zlib.compress(body, 6, 31 if name == "gzip" else 15)
    assert len(body) < 100_000
    async with running_proxy(NOWHERE) as proxy:
        reply = await ask(proxy, body, path=DRY, headers={"content-encoding": encoding})
    assert (reply.status, reply.json["error"]["type"]) == (413, "request_too_large")
    assert "max_unpack_ratio" in reply.json["error"]["message"]


async def test_encodings_on_encodings_are_refused() -> None:
    body = json.dumps(BODY).encode()
    for _ in range(4):
        body = gzip.compress(body)
    async with running_proxy(NOWHERE) as proxy:
        reply = await ask(proxy, body, path=DRY, headers={"content-encoding": ", ".join(["gzip"] * 4)})
    assert (reply.status, reply.json["error"]["type"]) == (415, "invalid_request_error")


async def test_what_a_session_holds_passes_all_limits() -> None:
    """1000 messages with text full of commas, 300 tools, images: 32 MB in all."""
    text = "if (a, b) { c[0], d; } // 'x, y', \\t, [1]\n" * 250
    tool = {
        "type": "object",
        "properties": {f"p{n}": {"type": "string", "description": "x, y"} for n in range(30)},
    }
    image = {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": "A" * 4_000_000},
    }
    body = {
        **BODY,
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": text}, *([image] if n % 200 == 0 else [])]}
            for n in range(1000)
        ],
        "tools": [{"name": f"t{n}", "description": text, "input_schema": tool} for n in range(300)],
    }
    async with running_upstream(say_hello) as upstream, running_proxy([model(upstream.base)]) as proxy:
        sent = json.dumps(body).encode()
        assert len(sent) > 30_000_000
        assert (await ask(proxy, sent)).status == 200
        packed = gzip.compress(sent, 1)
        assert (await ask(proxy, packed, headers={"content-encoding": "gzip"})).status == 200
        assert (proxy.gateway.admission.bytes, proxy.gateway.admission.requests) == (0, 0)


def nested(depth: int, inner: bytes = b"1") -> bytes:
    return b'{"a":[' * (depth // 2) + inner + b"]}" * (depth // 2)


PLACES = {
    "field": b'{"model":"m","zz":%s,"max_tokens":5,"messages":[{"role":"user","content":"x"}]}',
    "native": b'{"model":"n","zz":%s,"max_tokens":5,"messages":[{"role":"user","content":"x"}]}',
    "content": b'{"model":"m","max_tokens":5,"messages":[{"role":"user","content":[%s]}]}',
    "model": b'{"model":%s,"max_tokens":5,"messages":[]}',
    "tools": b'{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"x"}],"tools":[%s]}',
    "odd": b'{"model":"m","nan":NaN,"tools":[%s],"max_tokens":5,"messages":[{"role":"user","content":"x"}]}',
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("depth", [140, 300, 1000, 100_000])
async def test_deep_bodies_are_the_callers_fault(
    place: str, depth: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_proxy(NOWHERE) as proxy:
        reply = await ask(proxy, PLACES[place] % nested(depth))
        shallow = await ask(proxy, PLACES["field"] % nested(100), path=DRY)
    assert (reply.status, reply.json["error"]["type"]) == (400, "invalid_request_error")
    assert len(reply.body) < 1000
    assert shallow.status == 200
    assert "Traceback" not in caplog.text


async def test_bytes_in_flight_are_a_budget() -> None:
    async with running_proxy(NOWHERE, max_bytes_in_flight=200_000) as proxy:
        waiting = await Client.connect(proxy)
        waiting.writer.write(b"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nx-api-key: k\r\n")
        waiting.writer.write(b"content-length: 190000\r\n\r\n" + b"x" * 150_000)
        await eventually(lambda: proxy.gateway.admission.bytes == 150_000)
        for headers in ({}, {"transfer-encoding": "chunked"}):
            client = await Client.connect(proxy)
            if headers:
                head = "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
                client.writer.write(head.replace("\r\n\r\n", "\r\nx-api-key: k\r\n\r\n").encode())
                client.writer.write(b"%x\r\n" % 60_000 + b"x" * 60_000 + b"\r\n")
            else:
                await client.send(headers={"content-length": "60000"})
            reply = await client.reply()
            assert (reply.status, reply.json["error"]["type"]) == (529, "overloaded_error")
            client.close()
        assert (await ask(proxy, BODY, path=DRY)).status == 200
        waiting.close()
        await eventually(lambda: proxy.gateway.admission.bytes == 0)


@pytest.mark.parametrize(
    ("headers", "body", "path", "says"),
    [
        ({}, {**BODY, "model": "m" * 257}, "/v1/messages", "max_name_length"),
        ({}, {**BODY, "model": "x" * 30_000_000}, "/v1/messages", "max_name_length"),
        ({}, {**BODY, "model": "x" * 300}, DRY, "max_name_length"),
        ({}, {**BODY, "model": {"a": "x" * 1_000_000}}, DRY, "not an object"),
        ({"x-claude-code-session-id": "s" * 257}, BODY, "/v1/messages", "max_name_length"),
        ({"content-encoding": "z" * 5000}, BODY, "/v1/messages", "is not known"),
    ],
)
async def test_long_names_are_neither_kept_nor_echoed(
    headers: dict[str, str], body: Any, path: str, says: str
) -> None:
    models = [{"model_id": "*", "api_base": "http://127.0.0.1:1"}]
    async with running_proxy(models) as proxy:
        reply = await ask(proxy, body, path=path, headers=headers)
        assert "xxx" not in (await ask(proxy, None, method="GET", path="/v1/stats")).body.decode()
    assert reply.status in (400, 415)
    assert says in reply.json["error"]["message"]
    assert len(reply.body) < 500


@pytest.mark.parametrize("path", ["/v1/models/{}", "/v1/models?after_id={}", "/{}", "/v1/messages/{}"])
async def test_long_paths_are_not_echoed(path: str) -> None:
    async with running_proxy(NOWHERE) as proxy:
        reply = await ask(proxy, None, method="GET", path=path.format("x" * 30_000))
    assert reply.status in (400, 404)
    assert len(reply.body) < 700
