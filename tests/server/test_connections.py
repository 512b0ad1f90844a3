"""Connections that send too much, too slowly, nothing, or are too many."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.server import connections
from tests.server.byte_upstream import running_upstream, say_hello
from tests.server.harness import BODY, Client, Proxy, Reply, ask, eventually, model, running_proxy

if TYPE_CHECKING:
    from collections.abc import Iterable

NOWHERE = [model("http://127.0.0.1:1")]
HEAD = b"GET /health HTTP/1.1\r\nhost: localhost\r\n"


async def said(proxy: Proxy, pieces: Iterable[bytes]) -> tuple[Reply, bool]:
    """What is answered to `pieces`, and whether the connection is closed then."""
    client = await Client.connect(proxy)
    try:
        for piece in pieces:
            client.writer.write(piece)
            await client.writer.drain()
            await asyncio.sleep(0)
        reply = await asyncio.wait_for(client.reply(), 8)
        closed = reply.headers.get("connection") == "close" and await client.reader.read() == b""
    except ConnectionError:
        return Reply(0, {}, b""), True
    else:
        return reply, closed
    finally:
        client.close()


@pytest.mark.parametrize(
    "pieces",
    [
        [HEAD, b"x-a: ", *[b"a" * 65_536] * 40],
        [b"GET /", *[b"a" * 10_000] * 40],
        [HEAD + b"x-a: " + b"a" * 70_000 + b"\r\n\r\n"],
        [HEAD, *[b"x-%d: y\r\n" % n for n in range(250)], b"\r\n"],
        [HEAD + b"".join(b"x-%d: %s\r\n" % (n, b"v" * 1000) for n in range(150)) + b"\r\n"],
        [HEAD, *[b"x" * 8000] * 40],
        [b"\r\n" * 40_000, b"\r\n" * 40_000],
    ],
    ids=["value", "path", "at once", "many", "together", "name", "empty lines"],
)
async def test_a_head_that_is_too_large(pieces: list[bytes]) -> None:
    async with running_proxy(NOWHERE) as proxy:
        reply, closed = await said(proxy, pieces)
        assert closed
        if reply.status:  # else it was closed on what was still being sent
            assert (reply.status, reply.json["error"]["type"]) == (413, "request_too_large")
        assert (await ask(proxy, None, method="GET", path="/health")).status == 200


async def test_a_large_head_within_the_limits_and_a_large_body_behind_it() -> None:
    async with running_upstream(say_hello) as upstream, running_proxy([model(upstream.base)]) as proxy:
        client = await Client.connect(proxy)
        for number in range(3):  # over one connection: each head is counted by itself
            body = {**BODY, "messages": [{"role": "user", "content": "x" * 100_000}]}
            await client.send(body, headers={"x-large": "y" * 60_000, "x-number": str(number)})
            assert (await client.reply()).status == 200
        client.close()


async def test_an_endless_head_behind_a_running_request() -> None:
    async def slow(request: Any, connection: Any) -> None:
        await asyncio.sleep(0.5)
        await say_hello(request, connection)

    async with running_upstream(slow) as upstream, running_proxy([model(upstream.base)]) as proxy:
        client = await Client.connect(proxy)
        await client.send(BODY)
        client.writer.write(HEAD)
        with pytest.raises(ConnectionError):  # noqa: PT012 - any of the writes may meet it
            for _ in range(100):
                client.writer.write(b"x-a: " + b"a" * 60_000)
                await client.writer.drain()
                await asyncio.sleep(0.01)
        client.close()


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ([], 0),
        ([b"\r\n"], 408),
        ([HEAD], 408),
        ([b"GET /health HT"], 408),
        ([HEAD + b"\r\n", HEAD], 200),
    ],
)
async def test_a_head_must_come_in_time(
    pieces: list[bytes], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_LOOK_EVERY", 0.05)
    async with running_proxy(NOWHERE, head_timeout=0.2) as proxy:
        client = await Client.connect(proxy)
        for piece in pieces:
            client.writer.write(piece)
        if status:
            assert (await client.reply()).status == status
        last = await asyncio.wait_for(client.reader.read(), 3)
        assert (b"408" in last) is (status == 200)
        client.close()


async def test_a_slow_body_and_a_slow_response_are_no_slow_head(monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(request: Any, connection: Any) -> None:
        await asyncio.sleep(0.6)
        await say_hello(request, connection)

    monkeypatch.setattr(connections, "_LOOK_EVERY", 0.05)
    async with running_upstream(slow) as upstream:  # noqa: SIM117 - the proxy asks it
        async with running_proxy([model(upstream.base)], head_timeout=0.2) as proxy:
            client = await Client.connect(proxy)
            await client.send(b'{"model":"m","max_tokens":5,', headers={"content-length": "89"})
            for _ in range(5):
                await asyncio.sleep(0.1)
                client.writer.write(b" ")
            client.writer.write(b'"messages":[{"role":"user","content":"hi and more"}]}   ')
            assert (await client.reply()).status == 200
            client.close()


async def test_only_an_idle_connection_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(request: Any, connection: Any) -> None:
        await asyncio.sleep(0.5)
        await say_hello(request, connection)

    monkeypatch.setattr(connections, "_LOOK_EVERY", 0.05)
    async with running_upstream(slow) as upstream, running_proxy([model(upstream.base)]) as proxy:
        client = await Client.connect(proxy)
        for _ in range(2):
            await client.send(BODY)
            await eventually(lambda: proxy.gateway.in_flight == 1)
            (connection,) = proxy.connections._open
            connection.timeout_keep_alive = 0.2  # type: ignore[assignment] # whole seconds are too long here
            assert (await client.reply()).status == 200
        assert await asyncio.wait_for(client.reader.read(), 3) == b""
        client.close()


async def test_a_client_that_does_not_take_its_response_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_LOOK_EVERY", 0.05)
    names = [{"model_id": f"m{n}-{'x' * 200}", "api_base": "http://127.0.0.1:1"} for n in range(900)]
    async with running_proxy(names, client_stall_timeout=0.3) as proxy:
        client = await Client.connect(proxy, limit=1000)
        for _ in range(30):  # responses of 500 kB each
            client.writer.write(b"GET /v1/models?limit=1000 HTTP/1.1\r\nhost: localhost\r\n\r\n")
        await asyncio.sleep(0.1)
        assert len(proxy.connections._open) == 1
        for _ in range(100):
            await asyncio.sleep(0.1)
            if not proxy.connections._open:
                break
        assert not proxy.connections._open
        client.close()


async def test_too_many_connections_are_refused_and_health_is_not() -> None:
    async with running_proxy(NOWHERE, max_connections=5) as proxy:
        held = [await Client.connect(proxy) for _ in range(5)]
        await asyncio.sleep(0.05)
        for path, status in [("/health", 200), ("/ready", 200), ("/v1/models", 529), ("/v1/messages", 529)]:
            reply = await ask(proxy, None, method="GET", path=path)
            assert (reply.status, reply.headers["connection"]) == (status, "close")
        held.pop().close()
        await asyncio.sleep(0.05)
        assert (await ask(proxy, None, method="GET", path="/v1/models")).status == 200
        for client in held:
            client.close()


async def test_beyond_what_is_spared_for_health_all_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_LOOK_EVERY", 0.05)
    monkeypatch.setattr(connections, "_SPARE_TIME", 0.2)
    monkeypatch.setattr(connections, "_MOST_SPARE", 3)
    for limit, status in [("max_connections", 529), ("max_connections_per_address", 429)]:
        async with running_proxy(NOWHERE, **{limit: 2}) as proxy:
            held = [await Client.connect(proxy) for _ in range(5)]
            await asyncio.sleep(0.05)
            reply, closed = await said(proxy, [])
            assert (reply.status, closed) == (status, True)
            assert limit in reply.json["error"]["message"]
            await asyncio.sleep(0.5)  # those that were spared are closed again, since they say nothing
            assert (await ask(proxy, None, method="GET", path="/health")).status == 200
            for client in held:
                client.close()


async def test_nonsense_gets_an_anthropic_error() -> None:
    async with running_proxy(NOWHERE) as proxy:
        reply, closed = await said(proxy, [b"\x16\x03\x01 hello\r\n\r\n"])
    assert (reply.status, reply.json["error"]["type"], closed) == (400, "invalid_request_error", True)


@pytest.mark.parametrize(
    ("limit", "more"), [("body_timeout", b""), ("body_timeout", b"x"), ("head_timeout", b"")]
)
async def test_a_body_must_come_in_time(limit: str, more: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_LOOK_EVERY", 0.05)
    async with running_proxy(NOWHERE, **{limit: 0.3}) as proxy:
        client = await Client.connect(proxy)
        await client.send(b"{", headers={"content-length": "100"})
        for _ in range(3):
            await asyncio.sleep(0.05)
            client.writer.write(more)
        reply = await client.reply()
        assert (reply.status, reply.json["error"]["type"]) == (408, "timeout_error")
        assert limit in reply.json["error"]["message"]
        assert await client.reader.read() == b""
        client.close()
        assert (await ask(proxy, None, method="GET", path="/health")).status == 200
        assert proxy.gateway.in_flight == 0


async def test_the_rest_of_a_refused_body_is_no_head() -> None:
    async with running_proxy(NOWHERE, max_body_bytes=1000) as proxy:
        client = await Client.connect(proxy)
        body = b"x" * 300_000
        head = f"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer k\r\ncontent-length: {len(body)}\r\n\r\n"
        client.writer.write(head.encode() + body[:2000])
        assert (await client.reply()).status == 413
        for start in range(2000, len(body), 50_000):
            client.writer.write(body[start : start + 50_000])
            await asyncio.sleep(0.01)
        await client.send(None, method="GET", path="/v1/models")
        assert (await client.reply()).status == 200
        client.close()


CHUNKED = (
    b"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nx-api-key: k\r\ntransfer-encoding: chunked\r\n\r\n"
)


@pytest.mark.parametrize(
    "pieces",
    [
        [CHUNKED + b"2\r\n{}\r\n0\r\n", *[b"x-a: b\r\n" * 1000] * 40],
        [CHUNKED + b"2\r\n{}\r\n0\r\nx-a: ", *[b"b" * 8000] * 40],
        [CHUNKED + b"2;", *[b"a=b;" * 2000] * 40],
        [CHUNKED + b"2;a=", *[b"b" * 8000] * 40],
    ],
    ids=["trailers", "trailer", "extensions", "extension"],
)
async def test_what_is_no_body_behind_a_head(pieces: list[bytes]) -> None:
    async def stays(request: Any, connection: Any) -> None:
        await connection.left()

    async with running_upstream(stays) as upstream, running_proxy([model(upstream.base)]) as proxy:
        client = await Client.connect(proxy)
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                client.writer.write(piece)
                await client.writer.drain()
            reply = await asyncio.wait_for(client.reader.read(), 8)
            assert reply.startswith((b"HTTP/1.1 413", b"HTTP/1.1 400")) or not reply
        client.close()
        await eventually(lambda: proxy.gateway.in_flight == 0)


async def test_a_trailer_is_no_header() -> None:
    body = json.dumps(BODY).encode()
    trailers = b"origin: http://evil.example\r\nx-api-key: other\r\nx-proxy-report: 1\r\n"
    async with running_upstream(say_hello) as upstream, running_proxy([model(upstream.base)]) as proxy:
        sent = CHUNKED + b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(body), body, trailers)
        client = await Client.connect(proxy)
        for _ in range(2):
            client.writer.write(sent)
            reply = await client.reply()
            assert (reply.status, "x-proxy-notices" in reply.headers) == (200, False)
        client.close()
    assert [request.header("authorization") for request in upstream.requests] == ["Bearer k"] * 2


async def test_few_requests_wait_on_one_connection() -> None:
    async with running_upstream(say_hello) as upstream, running_proxy([model(upstream.base)]) as proxy:
        client = await Client.connect(proxy)
        for _ in range(10):
            await client.send(BODY)
        assert [(await client.reply()).status for _ in range(10)] == [200] * 10
        client.writer.write((HEAD + b"\r\n") * 4000)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            _ = [await asyncio.wait_for(client.reply(), 8) for _ in range(40)]
        client.close()
