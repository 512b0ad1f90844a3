"""Both transports: the same requests, the same outcomes; and what only one of them has."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import sys
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import h2.config
import h2.connection
import h2.events
import hpack
import pytest
import trustme

from claude_code_proxy import transports
from claude_code_proxy.http1 import (
    AnswerError,
    Client,
    ConnectError,
    ConnectTimeoutError,
    CutError,
    DnsError,
    Headers,
    HttpError,
    Options,
    RequestError,
    ResetError,
    TlsError,
)
from claude_code_proxy.http1.tls import Tls
from tests.http1.byte_server import OK, Peer, answering, answering_once, eventually, proxying, serving
from tests.http1.test_dial import certified

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from claude_code_proxy.transports.protocol import Response, Transport

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
KINDS: tuple[transports.Kind, ...] = ("http1", "http2")


@pytest.fixture(params=KINDS)
async def transport(request: pytest.FixtureRequest) -> AsyncIterator[Transport]:
    made = transports.make_transport(request.param, Options())
    yield made
    await made.close()


async def read(response: Response) -> bytes:
    parts = []
    while part := await response.read():
        parts.append(part)
    return b"".join(parts)


async def post(transport: Transport, url: str, body: bytes = b"{}", **more: Any) -> bytes:
    response = await transport.request("POST", url, Headers({"X-A": "1"}), body, **more)
    try:
        return await read(response)
    finally:
        response.close()


async def test_nothing_of_its_own_goes_out(transport: Transport) -> None:
    seen: list[tuple[str, bytes]] = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.request())
        peer.writer.write(OK)

    async with serving(script) as server:
        assert await post(transport, f"{server.url}/v1?a=b", b"x" * 300_000) == b"ok"
    ((head, body),) = seen
    first, *fields = head.rstrip("\r\n").split("\r\n")
    assert first == "POST /v1?a=b HTTP/1.1"
    assert body == b"x" * 300_000
    names = {field.partition(":")[0].lower() for field in fields}
    assert names == {"host", "x-a", "content-length"}


async def test_status_headers_and_body(transport: Transport) -> None:
    answer = b"HTTP/1.1 404 No\r\nContent-Type: Text/Event-Stream; charset=x\r\nx-b: 1\r\nX-B: 2\r\ncontent-length: 2\r\n\r\nno"
    async with serving(answering(answer)) as server:
        response = await transport.request("GET", server.url, Headers())
        assert (response.status, response.content_type) == (404, "text/event-stream")
        assert response.headers.all("X-b") == ["1", "2"]
        assert await read(response) == b"no"
        assert response.at_end
        response.close()


async def test_a_redirect_is_not_followed(transport: Transport) -> None:
    answer = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
    async with serving(answering(answer)) as server:
        response = await transport.request("POST", server.url, Headers(), b"{}")
        assert response.status == 302
        response.close()


async def test_pieces_come_as_they_arrive(transport: Transport) -> None:
    go = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.writer.write(CHUNKED + b"1\r\na\r\n")
        await go.wait()
        peer.writer.write(b"1\r\nb\r\n0\r\n\r\n")

    async with serving(script) as server:
        response = await transport.request("POST", server.url, Headers(), b"{}")
        assert await response.read() == b"a"
        go.set()
        assert await read(response) == b"b"
        response.close()


async def test_a_connection_is_kept(transport: Transport) -> None:
    async with serving(answering(OK)) as server:
        for _ in range(3):
            assert await post(transport, server.url) == b"ok"
        assert server.connections == (1 if isinstance(transport, Client) else 3)


async def test_bytes_that_nobody_asked_for_are_nobodys_response(transport: Transport) -> None:
    stray = OK + OK.replace(b"ok", b"NO")
    async with serving(answering(stray)) as server:
        for _ in range(3):
            assert await post(transport, server.url) == b"ok"


def http1_only(authority: trustme.CA) -> ssl.SSLContext:
    """A server's context that offers HTTP/1.1 and nothing else."""
    context = certified(authority, "localhost")
    context.set_alpn_protocols(["http/1.1"])
    return context


PACKED = gzip.compress(b"hello", mtime=0)


@pytest.mark.parametrize(
    ("coding", "body", "expected"),
    [
        (b"gzip", PACKED, b"hello"),
        (b"gzip", PACKED[:-12], CutError),
        (b"gzip", b"hello", AnswerError),
        (b"br", b"hello", AnswerError),
    ],
)
async def test_compressed_bodies(
    transport: Transport, coding: bytes, body: bytes, expected: bytes | type[HttpError]
) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: %b\r\ncontent-length: %d\r\n\r\n" % (coding, len(body))
    async with serving(answering(head + body)) as server:
        if isinstance(expected, bytes):
            assert await post(transport, server.url) == expected
        else:
            with pytest.raises(expected):
                await post(transport, server.url)


async def test_errors_do_not_quote_what_came(transport: Transport) -> None:
    async with serving(answering_once(b"planted-secret\r\n\r\n")) as server:
        with pytest.raises(AnswerError) as caught:
            await post(transport, server.url)
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("field", ["ca_bundle", "certificate"])
@pytest.mark.parametrize("text", [None, "no certificate"])
def test_a_bad_file_is_an_error_at_the_start(
    kind: transports.Kind, field: str, text: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "file.pem"
    if text is not None:
        path.write_text(text)
    with pytest.raises(OSError, match=rf"--(ca-bundle|client-certificate) .*{path.name}: ."):
        transports.make_transport(kind, Options(tls=Tls(**{field: path})))


async def test_a_bad_file_of_node_is_a_warning(
    transport: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(tmp_path / "missing.pem"))
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    kind: transports.Kind = "http1" if isinstance(transport, Client) else "http2"
    made = transports.make_transport(kind, Options(tls=Tls(ca_bundle=tmp_path / "ca.pem")))
    async with serving(answering(OK), http1_only(authority)) as server:
        assert await post(made, server.url) == b"ok"
    await made.close()
    assert "NODE_EXTRA_CA_CERTS" in caplog.text


@pytest.mark.parametrize("kind", KINDS)
async def test_a_proxy_behind_tls(kind: transports.Kind, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    made = transports.make_transport(kind, Options(tls=Tls(ca_bundle=tmp_path / "ca.pem")))
    seen: list[tuple[str, bytes]] = []
    async with serving(answering(OK, seen=seen), http1_only(authority)) as proxy:
        assert await post(made, "http://example.invalid/v1", proxy=proxy.url) == b"ok"
    await made.close()
    assert len(seen) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_certificate_of_ones_own(kind: transports.Kind, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authority.issue_cert("client.example").private_key_and_cert_chain_pem.write_to_path(
        str(tmp_path / "own.pem")
    )
    context = http1_only(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    tls = Tls(ca_bundle=tmp_path / "ca.pem", certificate=tmp_path / "own.pem")
    async with serving(answering(OK), context) as server:
        made = transports.make_transport(kind, Options(tls=tls))
        assert await post(made, server.url) == b"ok"
        await made.close()
        bare = transports.make_transport(kind, Options(tls=Tls(ca_bundle=tmp_path / "ca.pem")))
        with pytest.raises(HttpError):
            await post(bare, server.url)
        await bare.close()


async def test_a_kept_connection_that_is_dead(transport: Transport) -> None:
    async with serving(answering_once(OK)) as server:
        assert await post(transport, server.url) == b"ok"
        await eventually(lambda: server.open == 0)
        assert await post(transport, server.url, resend=True) == b"ok"


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"", ResetError),
        (b"nonsense\r\n\r\n", AnswerError),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel", CutError),
        (CHUNKED + b"5\r\nhello\r\n", CutError),
    ],
)
async def test_what_is_no_answer(transport: Transport, sent: bytes, error: type[HttpError]) -> None:
    async with serving(answering_once(sent)) as server:
        with pytest.raises(error) as caught:
            await post(transport, server.url)
        assert "X-A" not in str(caught.value)


async def test_no_connection(transport: Transport) -> None:
    async with serving(answering(OK)) as server:
        pass
    with pytest.raises(ConnectError):
        await post(transport, server.url)
    with pytest.raises(DnsError):
        await post(transport, "http://nowhere.invalid/")


@pytest.mark.parametrize("headers", [{"X-A": "a\nb"}, {"X A": "b"}, {"X-A": "\u4e2d"}, {"Host": "x"}])
async def test_what_cannot_be_sent(transport: Transport, headers: dict[str, str]) -> None:
    with pytest.raises(RequestError) as caught:
        await transport.request("POST", "http://127.0.0.1:1/", Headers(headers), b"")
    assert "\u4e2d" not in str(caught.value)


async def test_cancelling_closes_the_connection(transport: Transport) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.reader.read()

    async with serving(script) as server:
        task = asyncio.ensure_future(post(transport, server.url))
        await eventually(lambda: server.open == 1)
        task.cancel()
        await eventually(lambda: server.open == 0)


async def test_closing_an_unfinished_answer_closes_its_connection(transport: Transport) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.writer.write(CHUNKED + b"1\r\na\r\n")
        await peer.reader.read()

    async with serving(script) as server:
        response = await transport.request("POST", server.url, Headers(), b"{}")
        assert await response.read() == b"a"
        response.close()
        await eventually(lambda: server.open == 0)


async def test_tls(transport: Transport, tmp_path: Path) -> None:
    authority = trustme.CA()
    async with serving(answering(OK), http1_only(authority)) as server:
        with pytest.raises(TlsError, match="certificate"):
            await post(transport, server.url)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_certificate_authority_of_ones_own(kind: transports.Kind, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    made = transports.make_transport(kind, Options(tls=Tls(ca_bundle=tmp_path / "ca.pem")))
    context = certified(authority, "localhost")
    context.set_alpn_protocols(["http/1.1"])
    async with serving(answering(OK), context) as server:
        assert await post(made, server.url) == b"ok"
    await made.close()


async def test_a_proxy(transport: Transport, tmp_path: Path) -> None:
    seen: list[tuple[str, bytes]] = []
    async with serving(answering(OK, seen=seen)) as proxy:
        assert await post(transport, "http://example.invalid/v1", proxy=proxy.url) == b"ok"
    ((head, _),) = seen
    assert head.startswith("POST http://example.invalid/v1 HTTP/1.1")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_tunnel(kind: transports.Kind, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = certified(authority, "localhost")
    context.set_alpn_protocols(["http/1.1"])
    made, tunnels = (
        transports.make_transport(kind, Options(tls=Tls(ca_bundle=tmp_path / "ca.pem"))),
        list[str](),
    )
    async with serving(answering(OK), context) as server, serving(proxying(tunnels)) as proxy:
        assert await post(made, server.url, proxy=proxy.url) == b"ok"
        await made.close()
        await eventually(lambda: proxy.open == server.open == 0)
    assert tunnels[0].startswith("CONNECT localhost:")
    assert "X-A" not in tunnels[0]


async def test_no_connection_in_time(transport: Transport) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        first = socket.create_connection(address)  # it takes one connection, and nobody else's after that
        with first, pytest.raises(ConnectTimeoutError):
            await post(transport, f"http://127.0.0.1:{address[1]}/", connect_timeout=0.2)


# --- what only the other one has ------------------------------------------------------------------------
@dataclass
class Http2Server:
    """Answers each request of a connection with the frames that `frames` makes of the number of its stream."""

    url: str = ""
    requests: list[dict[str, str]] = field(default_factory=list)
    open: int = 0
    frames: Callable[[int], list[bytes]] = lambda stream: [ok_frames(stream)]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                for event in connection.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        self.requests.append({k.decode(): v.decode() for k, v in event.headers or ()})
                    elif isinstance(event, h2.events.StreamEnded) and event.stream_id:
                        for piece in self.frames(event.stream_id):
                            writer.write(piece)
                            await asyncio.sleep(0.02)  # each in a read of its own
                writer.write(connection.data_to_send())
        writer.close()
        self.open -= 1


@asynccontextmanager
async def serving_http2(tmp_path: Path) -> AsyncIterator[tuple[Http2Server, Transport]]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = certified(authority, "127.0.0.1")
    context.set_alpn_protocols(["h2"])
    script = Http2Server()
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0, ssl=context)
    script.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    made = transports.make_transport("http2", Options(tls=Tls(ca_bundle=tmp_path / "ca.pem")))
    yield script, made
    await made.close()
    await eventually(lambda: script.open == 0)
    server.close()


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def head_frame(stream: int, *fields: tuple[str, str], flags: int = 4) -> bytes:
    return frame(1, flags, stream, hpack.Encoder().encode(list(fields)))


def ok_frames(stream: int) -> bytes:
    return head_frame(stream, (":status", "200")) + frame(0, 1, stream, b"ok")


async def test_http2(tmp_path: Path) -> None:
    async with serving_http2(tmp_path) as (server, made):
        assert await asyncio.gather(*(post(made, server.url) for _ in range(3))) == [b"ok"] * 3
        assert {request[":path"] for request in server.requests} == {"/v1"}
        sent = {":method", ":scheme", ":authority", ":path", "x-a", "content-length"}
        assert set(server.requests[0]) == sent


STATUS_200 = (":status", "200")
RESET = frame(3, 0, 1, b"\0\0\0\x08")
GOAWAY = frame(7, 0, 0, b"\0\0\0\0" + b"\0\0\0\x02" + b"planted-secret")


@pytest.mark.parametrize(
    ("frames", "error"),
    [
        ([head_frame(1, (":status", "000"))], AnswerError),
        ([head_frame(1, (":status", "99"))], AnswerError),
        ([head_frame(1, (":status", "600"))], AnswerError),
        ([head_frame(1, (":status", "planted-secret"))], AnswerError),
        ([head_frame(1, (":status", "9" * 5000))], AnswerError),
        ([head_frame(1, STATUS_200, ("a", "b\r\nset-cookie: planted-secret"))], AnswerError),
        ([head_frame(1, STATUS_200, ("a", "b\0"))], AnswerError),
        ([head_frame(1, STATUS_200, ("a", "b\x7f"))], AnswerError),
        ([head_frame(1, STATUS_200, ("a\nb", "c"))], AnswerError),
        ([head_frame(1, STATUS_200, ("content-length", "planted-secret"))], AnswerError),
        (
            [head_frame(1, STATUS_200, ("a", "b" * 15_000), flags=0), frame(9, 4, 1, b"\xbe" * 9999)],
            AnswerError,
        ),
        ([frame(0, 1, 1, b"ok")], AnswerError),
        ([frame(0, 0, 1, bytes(20_000))], AnswerError),
        ([frame(1, 4, 1, b"\xff" * 9)], AnswerError),
        ([RESET], AnswerError),
        ([GOAWAY], AnswerError),
        ([head_frame(1, STATUS_200), RESET], CutError),
        ([head_frame(1, STATUS_200), GOAWAY], CutError),
        ([head_frame(1, STATUS_200), frame(0, 0, 1, bytes(20_000))], AnswerError),
        ([head_frame(1, STATUS_200), frame(9, 4, 1, b"")], AnswerError),
        ([head_frame(1, STATUS_200), frame(8, 0, 1, bytes(4))], AnswerError),
        ([head_frame(1, STATUS_200), GOAWAY, frame(0, 1, 1, b"ok")], CutError),
    ],
)
async def test_what_is_no_answer_over_http2(
    tmp_path: Path, frames: list[bytes], error: type[HttpError]
) -> None:
    async with serving_http2(tmp_path) as (server, made):
        server.frames = lambda stream: frames
        with pytest.raises(error) as caught:
            await post(made, server.url)
        assert "planted" not in str(caught.value)
        server.frames = lambda stream: [ok_frames(stream)]
        assert await post(made, server.url) == b"ok"


async def test_requests_beside_one_that_breaks_the_connection(tmp_path: Path) -> None:
    async with serving_http2(tmp_path) as (server, made):
        server.frames = lambda stream: [
            ok_frames(stream) if stream == 1 else frame(0, 0, stream, bytes(20_000))
        ]
        found = await asyncio.gather(*(post(made, server.url) for _ in range(6)), return_exceptions=True)
    assert found[0] == b"ok"
    assert {type(one) for one in found[1:]} <= {AnswerError, ResetError}


async def test_socks(tmp_path: Path) -> None:
    seen: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readexactly(3))
        writer.write(b"\x05\x00")
        head = await reader.readexactly(4)
        size = (await reader.readexactly(1))[0] if head[3] == 3 else 4
        await reader.readexactly(size + 2)
        writer.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(script, "127.0.0.1", 0)
    made = transports.make_transport("http2", Options())
    proxy = f"socks5://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    assert await post(made, "http://example.invalid/", proxy=proxy) == b"ok"
    assert seen[0][:1] == b"\x05"
    await made.close()
    server.close()


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)
    monkeypatch.delitem(sys.modules, "claude_code_proxy.transports.httpx2_client", raising=False)
    with pytest.raises(transports.MissingExtraError, match=r"transport: http2 needs the extra \[http2\]"):
        transports.make_transport("http2", Options())
