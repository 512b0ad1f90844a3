"""Requests over real sockets: what goes out, what comes back, what is kept."""

from __future__ import annotations

import asyncio
import gzip
import socket
from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.http1 import (
    AnswerError,
    Client,
    ConnectError,
    ConnectTimeoutError,
    CutError,
    DnsError,
    Headers,
    Options,
    RequestError,
    ResetError,
    Response,
)
from claude_code_proxy.http1 import resolver as names_module
from tests.http1.byte_server import OK, Peer, Server, answering, answering_once, eventually, serving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

CLOSE = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
HALF = CHUNKED + b"5\r\nhello\r\n"


async def post(client: Client, server: Server, body: bytes = b"{}", *, resend: bool = False) -> Response:
    return await client.request("POST", f"{server.url}/v1?a=b", Headers({"X-A": "1"}), body, resend=resend)


async def body_of(response: Response) -> bytes:
    parts = []
    while part := await response.read():
        parts.append(part)
    return b"".join(parts)


async def whole(client: Client, server: Server, body: bytes = b"{}", *, resend: bool = False) -> bytes:
    response = await post(client, server, body, resend=resend)
    try:
        return await body_of(response)
    finally:
        response.close()


# --- what goes out ------------------------------------------------------------------------------------
async def test_a_request_as_it_goes_out(client: Client) -> None:
    seen: list[tuple[str, bytes]] = []
    async with serving(answering(OK, seen=seen)) as server:
        headers = Headers({"Authorization": "Bearer k"})
        for repeated in ("1", "2"):
            headers.add("x-B", repeated)
        response = await client.request("POST", f"{server.url}/v1//x%20y?q=%20&r#f", headers, b"{}")
        response.close()
        response = await client.request("GET", server.url, Headers())
        response.close()
        response = await client.request("POST", server.url, Headers())
        response.close()
        host = f"Host: localhost:{server.port}\r\n"
    assert seen == [
        (
            f"POST /v1//x%20y?q=%20&r HTTP/1.1\r\n{host}Authorization: Bearer k\r\nx-B: 1\r\nx-B: 2\r\n"
            "Content-Length: 2\r\n\r\n",
            b"{}",
        ),
        (f"GET / HTTP/1.1\r\n{host}\r\n", b""),
        (f"POST / HTTP/1.1\r\n{host}Content-Length: 0\r\n\r\n", b""),
    ]


async def test_what_cannot_be_sent_is_not(client: Client) -> None:
    async with serving(answering(OK)) as server:
        for url, headers in (
            (server.url, Headers({"a": "b\r\nc: d"})),
            (f"{server.url}/a b", Headers()),
            (f"{server.url}/?a=b\r\nc: d", Headers()),
        ):
            with pytest.raises(RequestError):
                await client.request("POST", url, headers)
        assert server.connections == 0


@pytest.mark.parametrize("size", [0, 1, 256 << 10, (256 << 10) + 1, 9_000_001])
async def test_bodies_of_every_size(client: Client, size: int) -> None:
    seen: list[tuple[str, bytes]] = []
    data = bytes(range(251)) * (size // 251 + 1)
    async with serving(answering(OK, seen=seen)) as server:
        assert await whole(client, server, data[:size]) == b"ok"
        assert await whole(client, server, b"after") == b"ok"
        assert server.connections == 1
    assert [body == expected for (_, body), expected in zip(seen, (data[:size], b"after"), strict=True)] == [
        True,
        True,
    ]


async def test_a_refusal_is_heard_before_the_body_is_taken(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
        await peer.left()

    async with serving(handler) as server:
        response = await post(client, server, b"x" * (32 << 20))
        assert (response.status, await body_of(response)) == (413, b"no")
        assert response.at_end
        response.close()
        await eventually(lambda: server.open == 0)


async def test_an_answer_may_begin_before_the_body_is_taken(client: Client) -> None:
    size = 0

    async def handler(peer: Peer) -> None:
        nonlocal size
        head = await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(HALF)
        await asyncio.sleep(0.05)
        left = int(head.lower().split(b"content-length: ")[1].split(b"\r")[0])
        while left:
            left -= len(piece := await peer.reader.read(min(left, 1 << 16)))
            size += len(piece)
        await peer.send(b"0\r\n\r\n")
        await peer.left()

    async with serving(handler) as server:
        assert await whole(client, server, b"x" * (16 << 20)) == b"hello"
        assert size == 16 << 20


async def test_an_answer_that_ends_before_the_body_is_taken_is_the_last(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(OK)
        await peer.left()

    async with serving(handler) as server:
        assert await whole(client, server, b"x" * (32 << 20)) == b"ok"
        await eventually(lambda: server.open == 0)


# --- what comes back ----------------------------------------------------------------------------------
async def test_pieces_come_as_they_arrive(client: Client) -> None:
    go_on = asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + b"1\r\na\r\n1\r\nb\r\n")
        await go_on.wait()
        await peer.send(b"1\r\nc\r\n0\r\n\r\n")

    async with serving(handler) as server:
        response = await post(client, server)
        assert (response.status, response.at_end) == (200, False)
        assert await response.read() == b"ab"
        go_on.set()
        assert (await body_of(response), response.at_end) == (b"c", True)
        response.close()
        with pytest.raises(CutError, match="was closed"):
            await response.read()
        response.close()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"content-type: Text/Event-Stream; charset=utf-8\r\n", "text/event-stream"),
        (b"content-type: \r\n", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
async def test_the_content_type(client: Client, value: bytes, expected: str) -> None:
    async with serving(answering(b"HTTP/1.1 200 OK\r\n" + value + b"content-length: 0\r\n\r\n")) as server:
        response = await post(client, server)
        assert response.content_type == expected
        response.close()


async def test_a_packed_answer_is_unpacked(client: Client) -> None:
    packed = gzip.compress(b"hello" * 1000)
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed)
    async with serving(answering(head, packed[:100], packed[100:])) as server:
        assert await whole(client, server) == b"hello" * 1000


async def test_others_have_their_turn_while_a_small_answer_becomes_a_large_one(client: Client) -> None:
    packed = gzip.compress(bytes(8 << 20))
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed)
    async with serving(answering(head + packed)) as server:
        reading = asyncio.create_task(whole(client, server))
        turns = 0
        while not reading.done():
            await asyncio.sleep(0)
            turns += 1
            if turns == 10_000:
                await asyncio.sleep(0.01)
        assert len(await reading) == 8 << 20
    assert turns > 30


async def test_a_body_until_the_connection_closes(client: Client) -> None:
    async with serving(answering_once(b"HTTP/1.1 200 OK\r\n\r\nhel", b"lo")) as server:
        assert await whole(client, server) == b"hello"
        await eventually(lambda: server.open == 0)


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"", ResetError),
        (b"HTTP/1.1 200", ResetError),
        (b"HTTP/1.1 100 Continue\r\n\r\n", ResetError),
        (b"banana", AnswerError),
        (b"HTTP/1.1 200 OK\r\na: " + b"b" * 70_000, AnswerError),
        (b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", AnswerError),
    ],
)
async def test_no_answer(client: Client, sent: bytes, error: type[Exception]) -> None:
    async with serving(answering_once(sent)) as server:
        with pytest.raises(error):
            await post(client, server)
        await eventually(lambda: server.open == 0)


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello", CutError),
        (HALF, CutError),
        (HALF + b"5\r\n", CutError),
        (HALF + b"0\r\n", CutError),
        (HALF + b"x", AnswerError),
    ],
)
@pytest.mark.parametrize("how", ["end", "reset"])
async def test_a_cut_answer(client: Client, sent: bytes, error: type[Exception], how: str) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(sent)
        await asyncio.sleep(0.02)
        if how == "reset":
            peer.reset()

    async with serving(handler) as server:
        response = await post(client, server)
        assert await response.read() == b"hello"
        for _ in range(2):
            with pytest.raises(error):
                await response.read()
        assert not response.at_end
        response.close()


async def test_a_reset_is_no_end_of_a_body(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        await asyncio.sleep(0.02)
        peer.reset()

    async with serving(handler) as server:
        response = await post(client, server)
        assert await response.read() == b"hello"
        with pytest.raises(CutError):
            await response.read()
        response.close()


@pytest.mark.parametrize("framing", ["chunked", "close"])
async def test_a_server_waits_for_a_slow_reader(client: Client, framing: str) -> None:
    piece, sent = b"x" * (64 << 10), 0

    async def handler(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(CHUNKED if framing == "chunked" else b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(512):
            await peer.send(b"10000\r\n%b\r\n" % piece if framing == "chunked" else piece)
            sent += len(piece)
        if framing == "chunked":
            await peer.send(b"0\r\n\r\n")

    async with serving(handler) as server:
        response = await post(client, server)
        await asyncio.sleep(0.2)
        at_rest = sent
        assert at_rest < 16 << 20, "more than the sockets' buffers take"
        await asyncio.sleep(0.1)
        assert sent == at_rest
        first = await response.read()
        assert len(first) <= 512 << 10
        assert len(first) + len(await body_of(response)) == 32 << 20
        response.close()


# --- leaving ------------------------------------------------------------------------------------------
async def silent(peer: Peer) -> None:
    await peer.request()
    await peer.left()


async def begins(peer: Peer) -> None:
    await peer.request()
    await peer.send(HALF)
    await peer.left()


async def deaf(peer: Peer) -> None:
    """Takes the head, and of the body only what the socket holds."""
    await peer.reader.readuntil(b"\r\n\r\n")
    peer.reader._transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.sleep(0.3)
    peer.reader._transport.resume_reading()  # type: ignore[attr-defined]
    await peer.left()


@pytest.mark.parametrize("handler", [silent, deaf])
async def test_cancelling_a_request_closes_its_connection(
    client: Client, handler: Callable[[Peer], Awaitable[None]]
) -> None:
    async with serving(handler) as server:
        task = asyncio.create_task(post(client, server, b"x" * (32 << 20 if handler is deaf else 2)))
        await eventually(lambda: server.open == 1)
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await eventually(lambda: server.open == 0, within=1)


async def test_closing_an_unfinished_answer_closes_its_connection(client: Client) -> None:
    async with serving(begins) as server:
        response = await post(client, server)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await body_of(response)
        assert server.open == 1, "giving up one read is not giving up"
        response.close()
        await eventually(lambda: server.open == 0, within=1)


async def test_closing_the_client_ends_everything() -> None:
    client = Client()
    async with serving(begins) as busy, serving(answering(OK)) as idle:
        response = await post(client, busy)
        await response.read()
        reading = asyncio.create_task(response.read())
        await whole(client, idle)
        await asyncio.sleep(0.01)
        await client.close()
        with pytest.raises(CutError, match="closed here"):
            await reading
        response.close()
        await eventually(lambda: busy.open == idle.open == 0)


# --- connections that are kept ------------------------------------------------------------------------
async def test_a_connection_serves_one_request_after_the_other(client: Client) -> None:
    async with serving(answering(OK)) as server:
        for _ in range(5):
            assert await whole(client, server) == b"ok"
        assert server.connections == 1
        both = await asyncio.gather(*(post(client, server) for _ in range(2)))
        assert server.connections == 2
        for response in both:
            response.close()  # unread, but complete
        for _ in range(5):
            assert await whole(client, server) == b"ok"
        assert server.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        CLOSE,
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        OK + b"unasked",
        OK + OK,
        b"HTTP/1.1 200 OK\r\nkeep-alive: max=5, Timeout=1\r\ncontent-length: 2\r\n\r\nok",
    ],
)
async def test_a_connection_that_serves_no_second_request(client: Client, answer: bytes) -> None:
    async with serving(answering(answer)) as server:
        for count in (1, 2):
            assert await whole(client, server) == b"ok"
            assert server.connections == count


async def test_a_server_may_say_how_long_it_keeps_connections(client: Client) -> None:
    answer = b"HTTP/1.1 200 OK\r\nkeep-alive: timeout=5\r\ncontent-length: 2\r\n\r\nok"
    async with serving(answering(answer)) as server:
        for _ in range(2):
            assert await whole(client, server) == b"ok"
        assert server.connections == 1


@pytest.mark.parametrize("how", ["speaks", "leaves"])
async def test_a_kept_connection_whose_server_speaks_or_leaves_is_closed(client: Client, how: str) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await asyncio.sleep(0.02)
        if how == "speaks":
            await peer.send(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
            await peer.left()

    async with serving(handler) as server:
        assert await whole(client, server) == b"ok"
        await eventually(lambda: server.open == 0)
        await asyncio.sleep(0.02)
        assert client._pool._open == set()
        assert await whole(client, server) == b"ok"


def dying(alive: list[int]) -> Callable[[Peer], Awaitable[None]]:
    """Answers well on each connection, but resets it at its second request unless `alive` is set."""

    async def handler(peer: Peer) -> None:
        for _ in range(1 + 99 * len(alive)):
            await peer.request()
            await peer.send(OK)
        await peer.reader.readuntil(b"\r\n\r\n")

    return handler


@pytest.mark.parametrize("resend", [False, True])
async def test_a_kept_connection_that_is_dead(client: Client, resend: bool) -> None:
    alive: list[int] = []
    async with serving(dying(alive)) as server:
        both = await asyncio.gather(*(post(client, server) for _ in range(2)))
        for response in both:
            response.close()
        assert server.connections == server.open == 2
        alive.append(1)
        if resend:
            assert await whole(client, server, resend=True) == b"ok"
        else:
            with pytest.raises(ResetError) as raised:
                await whole(client, server)
            assert raised.value.unheard
        await eventually(lambda: server.open == int(resend))
        assert await whole(client, server) == b"ok"
        assert server.connections == 3, "the other kept connection was not tried"


async def test_nothing_is_sent_again_once_an_answer_began(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()
        await peer.send(b"HTTP/1.1 2")

    async with serving(handler) as server:
        assert await whole(client, server) == b"ok"
        with pytest.raises(ResetError) as raised:
            await whole(client, server, resend=True)
        assert not raised.value.unheard
        assert server.connections == 1


async def test_idle_connections_are_closed_in_time() -> None:
    client = Client(Options(idle_seconds=0.4))
    async with serving(answering(OK)) as first, serving(answering(OK)) as second:
        await whole(client, first)
        await asyncio.sleep(0.28)
        await whole(client, second)
        await eventually(lambda: first.open == 0, within=1)
        assert second.open == 1
        await whole(client, second)
        assert second.connections == 1
        await eventually(lambda: second.open == 0, within=1)
        await eventually(lambda: client._pool._sweeper is None and not client._pool._idle, within=1)
        await whole(client, second)
        assert second.connections == 2
    await client.close()


async def test_an_old_connection_is_not_used() -> None:
    client = Client(Options(idle_seconds=0.05))
    async with serving(answering(OK)) as server:
        await whole(client, server)
        assert client._pool._sweeper is not None
        client._pool._sweeper.cancel()
        await asyncio.sleep(0.06)
        await whole(client, server)
        assert server.connections == 2
    await client.close()


@pytest.mark.parametrize("most", [0, 1])
async def test_idle_connections_are_few(most: int) -> None:
    client = Client(Options(idle_connections=most))
    async with serving(answering(OK)) as server:
        responses = await asyncio.gather(*(post(client, server) for _ in range(3)))
        for response in responses:
            response.close()
        await eventually(lambda: server.open == most)
    await client.close()


async def test_a_connection_is_used_for_so_long_only() -> None:
    client = Client(Options(age_seconds=0.1))
    async with serving(answering(OK)) as server:
        await whole(client, server)
        await whole(client, server)
        assert server.connections == 1
        await asyncio.sleep(0.12)
        await whole(client, server)
        assert server.connections == 2, "names may point elsewhere by now"
    await client.close()


async def test_more_requests_than_connections_wait_for_their_turn() -> None:
    client = Client(Options(connections=2))
    async with serving(answering(OK)) as server:
        first, second = await post(client, server), await post(client, server)
        waiting = [asyncio.ensure_future(whole(client, server)) for _ in range(3)]
        await asyncio.sleep(0.05)
        assert server.connections == 2
        first.close()
        second.close()
        assert await asyncio.gather(*waiting) == [b"ok"] * 3
        assert server.connections == 2
        held = [await post(client, server) for _ in range(2)]
        with pytest.raises(ConnectTimeoutError, match=r"all 2 connections to it were in use for 0\.05 s"):
            await client.request("POST", server.url, Headers(), connect_timeout=0.05)
        cancelled = asyncio.ensure_future(whole(client, server))
        await asyncio.sleep(0.01)
        cancelled.cancel()
        for response in held:
            response.close()
        assert await whole(client, server) == b"ok"
    await client.close()


@pytest.mark.parametrize(
    "value", [b"timeout=" + b"9" * 5000, "timeout=²".encode("latin-1"), b"timeout = x", b"=" * 9000]
)
async def test_a_strange_keep_alive_is_ignored(client: Client, value: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\nkeep-alive: %b\r\ncontent-length: 2\r\n\r\nok" % value
    async with serving(answering(answer)) as server:
        assert [await whole(client, server) for _ in range(2)] == [b"ok", b"ok"]
        assert server.connections == 1


# --- no connection ------------------------------------------------------------------------------------
async def test_nothing_listens(client: Client) -> None:
    async with serving(answering(OK)) as server:
        pass
    with pytest.raises(ConnectError, match=r"refused|Connect call failed"):
        await post(client, server)
    assert not client._pool._dialer._names._known, "the name is looked up again"


async def test_a_host_that_does_not_exist(client: Client) -> None:
    for _ in range(2):
        with pytest.raises(DnsError):
            await client.request("GET", "http://does-not-exist.invalid", Headers())


async def test_no_connection_in_time(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> list[names_module.AddressInfo]:
        await asyncio.sleep(60)
        raise AssertionError

    monkeypatch.setattr(names_module, "_look_up", never)
    with pytest.raises(ConnectTimeoutError, match=r"within 0.05 s"):
        await client.request("GET", "http://slow.example", Headers(), connect_timeout=0.05)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
async def test_an_address_is_not_looked_up(
    client: Client, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names_module, "_look_up", None)
    family, address = (socket.AF_INET6, "::1") if host == "[::1]" else (socket.AF_INET, "127.0.0.1")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answering_once(OK)(Peer(reader, writer))
        writer.close()

    try:
        listener = await asyncio.start_server(serve, address, 0, family=family)
    except OSError:
        pytest.skip("no IPv6 here")
    port = listener.sockets[0].getsockname()[1]
    response = await client.request("GET", f"http://{host}:{port}/", Headers())
    assert await body_of(response) == b"ok"
    response.close()
    listener.close()


async def test_a_name_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    async def look_up(_: object, host: str, port: int) -> list[names_module.AddressInfo]:
        asked.append(host)
        await asyncio.sleep(0.01)
        if host.startswith("bad"):
            raise socket.gaierror(socket.EAI_NONAME, "no such host")
        return [names_module._literal("127.0.0.1", port)]  # type: ignore[list-item]

    monkeypatch.setattr(names_module, "_look_up", look_up)
    monkeypatch.setattr(names_module, "_MOST", 2)
    names = names_module.Names()
    found = await asyncio.gather(*(names.find("a.example", 80) for _ in range(5)))
    assert asked == ["a.example"]
    assert len({str(one) for one in found}) == 1
    for _ in range(2):
        with pytest.raises(socket.gaierror):
            await names.find("bad.example", 80)
    assert asked == ["a.example", "bad.example", "bad.example"]
    await names.find("b.example", 80)
    await names.find("a.example", 80)
    assert asked[3:] == ["b.example", "a.example"], "of many only the last are known"
    names.forget("a.example", 80)
    names.forget("a.example", 80)
    monkeypatch.setattr(names_module, "_REMEMBERED", -1.0)
    await names.find("a.example", 80)
    await names.find("a.example", 80)
    assert asked[5:] == ["a.example", "a.example"]
