"""TLS and proxies, with certificates of an authority made here."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING

import pytest
import trustme

from claude_code_proxy.http1 import (
    Client,
    ConnectError,
    ConnectTimeoutError,
    CutError,
    Headers,
    Options,
    Response,
    Tls,
    TlsError,
)
from claude_code_proxy.http1 import resolver as names
from tests.http1.byte_server import OK, Peer, answering, answering_once, eventually, proxying, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
LOGIN = "Basic bWU6cEBzcw=="  # me:p@ss


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(autouse=True)
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))


def certified(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2", "http/1.1"])
    authority.issue_cert(*names).configure_cert(context)
    return context


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    return certified(authority, "localhost", "127.0.0.1")


async def get(client: Client, url: str, *, proxy: str | None = None) -> bytes:
    response = await client.request("GET", url, Headers(), proxy=proxy)
    try:
        return await read(response)
    finally:
        response.close()


async def read(response: Response) -> bytes:
    parts = []
    while part := await response.read():
        parts.append(part)
    return b"".join(parts)


def login(url: str) -> str:
    return url.replace("//", "//me:p%40ss@")


# --- whom to trust ------------------------------------------------------------------------------------
@pytest.mark.parametrize("how", ["setting", "NODE_EXTRA_CA_CERTS"])
async def test_authorities_beside_the_systems(
    how: str, authority: trustme.CA, tls: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = trustme.CA()
    other.cert_pem.write_to_path(str(tmp_path / "other.pem"))
    bundle = tmp_path / "other.pem"
    if how != "setting":
        monkeypatch.setenv(how, str(bundle))
    client = Client(Options(tls=Tls(ca_bundle=bundle if how == "setting" else None)))
    async with (
        serving(answering(OK), certified(other, "localhost")) as theirs,
        serving(answering(OK), tls) as ours,
    ):
        assert await get(client, theirs.url) == b"ok"
        assert await get(client, ours.url) == b"ok", "the system's are trusted as before"
    await client.close()


async def test_a_certificate_of_our_own(authority: trustme.CA, tmp_path: Path) -> None:
    issued = authority.issue_cert("me@example.com")
    issued.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "me.pem"))
    context = certified(authority, "localhost")
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    client = Client(Options(tls=Tls(certificate=tmp_path / "me.pem")))
    async with serving(answering(OK), context) as server:
        assert await get(client, server.url) == b"ok"
    await client.close()


async def test_an_idle_connection_says_goodbye(client: Client, tls: ssl.SSLContext) -> None:
    ends: list[BaseException | None] = []

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.writer.write(OK)
        try:
            await peer.reader.read()
            ends.append(None)
        except OSError as error:
            ends.append(error)

    async with serving(script, tls) as server:
        assert await get(client, server.url) == b"ok"
        await client.close()
        await eventually(lambda: bool(ends))
    assert ends == [None], "an end without close_notify is an error on the other side"


# --- TLS ----------------------------------------------------------------------------------------------
async def test_a_good_certificate(client: Client, tls: ssl.SSLContext) -> None:
    async with serving(answering(OK), tls) as server:
        for _ in range(3):
            assert await get(client, server.url) == b"ok"
        assert await get(client, f"https://127.0.0.1:{server.port}") == b"ok"
        assert server.connections == 2
        await client.close()
        await eventually(lambda: server.open == 0)


async def test_http_1_is_agreed_on(client: Client, tls: ssl.SSLContext) -> None:
    agreed = []

    async def handler(peer: Peer) -> None:
        agreed.append(peer.writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await answering_once(OK)(peer)

    async with serving(handler, tls) as server:
        await get(client, server.url)
    assert agreed == ["http/1.1"]


async def test_a_dot_after_the_host(
    client: Client, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look_up(_: object, host: str, port: int) -> list[names.AddressInfo]:
        assert host == "localhost."
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))]

    monkeypatch.setattr(names, "_look_up", look_up)
    async with serving(answering(OK), tls) as server:
        assert await get(client, server.url.replace("localhost", "localhost.")) == b"ok"


async def test_the_certificate_of_another_host(client: Client, authority: trustme.CA) -> None:
    async with serving(answering(OK), certified(authority, "other.example")) as server:
        with pytest.raises(TlsError, match="Hostname mismatch"):
            await get(client, server.url)
        await eventually(lambda: server.open == 0)


async def test_the_certificate_of_an_unknown_authority(client: Client) -> None:
    async with serving(answering(OK), certified(trustme.CA(), "localhost")) as server:
        with pytest.raises(TlsError, match="certificate verify failed"):
            await get(client, server.url)


async def test_a_server_that_speaks_no_tls(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        await peer.reader.read(1)
        await peer.send(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")

    async with serving(handler) as server:
        with pytest.raises(TlsError, match=r"wrong version number|record"):
            await get(client, f"https://localhost:{server.port}")


async def test_a_server_that_never_shakes_hands(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        await peer.left()

    async with serving(handler) as server:
        with pytest.raises(ConnectTimeoutError, match=r"within 0.1 s"):
            await client.request("GET", f"https://localhost:{server.port}", Headers(), connect_timeout=0.1)
        await eventually(lambda: server.open == 0)


async def test_a_server_that_leaves_during_the_handshake(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        await peer.reader.read(1)

    async with serving(handler) as server:
        with pytest.raises(ConnectError):
            await get(client, f"https://localhost:{server.port}")


async def test_a_body_until_the_connection_closes(client: Client, tls: ssl.SSLContext) -> None:
    async def handler(peer: Peer) -> None:
        await answering_once(b"HTTP/1.1 200 OK\r\n\r\nhel", b"lo")(peer)
        peer.writer.close()
        await peer.left()

    async with serving(handler, tls) as server:
        assert await get(client, server.url) == b"hello"


async def test_a_cut_answer(client: Client, tls: ssl.SSLContext) -> None:
    async with serving(answering_once(CHUNKED + b"5\r\nhello\r\n"), tls) as server:
        response = await client.request("GET", server.url, Headers())
        assert await response.read() == b"hello"
        with pytest.raises(CutError):
            await response.read()
        response.close()


async def test_large_bodies_both_ways(client: Client, tls: ssl.SSLContext) -> None:
    size = 8 << 20
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size
    seen: list[tuple[str, bytes]] = []
    async with serving(answering(head + b"y" * size, seen=seen), tls) as server:
        for _ in range(2):
            response = await client.request("POST", server.url, Headers(), b"x" * size)
            await asyncio.sleep(0.05)  # reading pauses meanwhile
            assert await read(response) == b"y" * size
            response.close()
        assert server.connections == 1
    assert [body == b"x" * size for _, body in seen] == [True, True]


async def test_leaving(client: Client, tls: ssl.SSLContext) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + b"5\r\nhello\r\n")
        await peer.left()

    async with serving(handler, tls) as server:
        response = await client.request("GET", server.url, Headers())
        assert await response.read() == b"hello"
        response.close()
        await eventually(lambda: server.open == 0, within=1)


# --- proxies ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("secure", [False, True], ids=["http proxy", "https proxy"])
async def test_a_proxy_fetches_what_is_not_secure(client: Client, tls: ssl.SSLContext, secure: bool) -> None:
    seen: list[tuple[str, bytes]] = []
    async with serving(answering(OK, seen=seen), tls if secure else None) as proxy:
        for _ in range(2):
            assert await get(client, "http://api.example:81/v1?a=b", proxy=login(proxy.url)) == b"ok"
        assert proxy.connections == 1
        assert await get(client, "http://other.example", proxy=proxy.url) == b"ok"
        assert proxy.connections == 2
    heads = [head for head, _ in seen]
    assert (
        heads[0]
        == heads[1]
        == (
            "GET http://api.example:81/v1?a=b HTTP/1.1\r\nHost: api.example:81\r\n"
            f"Proxy-Authorization: {LOGIN}\r\n\r\n"
        )
    )
    assert heads[2] == "GET http://other.example/ HTTP/1.1\r\nHost: other.example\r\n\r\n"


@pytest.mark.parametrize("secure", [False, True], ids=["http proxy", "https proxy"])
async def test_a_tunnel_to_what_is_secure(client: Client, tls: ssl.SSLContext, secure: bool) -> None:
    tunnels: list[str] = []
    seen: list[tuple[str, bytes]] = []
    async with (
        serving(answering(OK, seen=seen), tls) as server,
        serving(proxying(tunnels), tls if secure else None) as proxy,
    ):
        for _ in range(3):
            assert await get(client, f"{server.url}/v1", proxy=login(proxy.url)) == b"ok"
        assert (server.connections, proxy.connections) == (1, 1)
        assert await get(client, f"{server.url}/v1") == b"ok"
        assert (server.connections, proxy.connections) == (2, 1)
        await client.close()
        await eventually(lambda: server.open == proxy.open == 0)
    place = f"localhost:{server.port}"
    assert tunnels == [f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\nProxy-Authorization: {LOGIN}\r\n\r\n"]
    assert {head for head, _ in seen} == {f"GET /v1 HTTP/1.1\r\nHost: {place}\r\n\r\n"}


async def test_the_certificate_is_the_servers_not_the_proxys(client: Client, authority: trustme.CA) -> None:
    async with (
        serving(answering(OK), certified(authority, "other.example")) as server,
        serving(proxying([]), certified(authority, "localhost")) as proxy,
    ):
        with pytest.raises(TlsError, match="Hostname mismatch"):
            await get(client, server.url, proxy=proxy.url)
        await eventually(lambda: server.open == proxy.open == 0)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 407 Login\r\ncontent-length: 0\r\n\r\n", "answered 407 to CONNECT"),
        (b"HTTP/1.1 403 No\r\n\r\n<html>", "answered 403 to CONNECT"),
        (b"HTTP/1.1 200 OK\r\n\r\nunasked", "sent more than its answer to CONNECT"),
        (b"", "did not answer CONNECT"),
        (b"banana", "did not answer CONNECT"),
    ],
)
async def test_no_tunnel(client: Client, answer: bytes, words: str) -> None:
    async with serving(answering_once(answer)) as proxy:
        with pytest.raises(ConnectError, match=words) as raised:
            await get(client, "https://api.example", proxy=login(proxy.url))
        assert f"localhost:{proxy.port}" in str(raised.value)
        assert "p@ss" not in str(raised.value)
        await eventually(lambda: proxy.open == 0)


@pytest.mark.parametrize(
    "leave",
    [lambda peer: None, lambda peer: peer.writer.transport.abort()],
    ids=["closes", "aborts"],
)
async def test_a_tunnel_that_ends_before_it_is_used(client: Client, leave: Callable[[Peer], None]) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        leave(peer)

    async with serving(handler) as proxy:
        with pytest.raises(ConnectError):
            await get(client, "https://api.example", proxy=proxy.url)


@pytest.mark.parametrize("answer", [None, b"HTTP/1.1 200 OK\r\n\r\n"], ids=["at once", "as a tunnel"])
async def test_a_proxy_that_is_silent(client: Client, answer: bytes | None) -> None:
    async def handler(peer: Peer) -> None:
        if answer:
            await peer.request()
            await peer.send(answer)
        await peer.left()

    async with serving(handler) as proxy:
        with pytest.raises(ConnectTimeoutError):
            await client.request(
                "GET", "https://api.example", Headers(), proxy=proxy.url, connect_timeout=0.1
            )
        await eventually(lambda: proxy.open == 0)


async def test_a_tunnel_to_an_address(client: Client, tls: ssl.SSLContext) -> None:
    tunnels: list[str] = []

    async def handler(peer: Peer) -> None:
        head, _ = await peer.request()
        tunnels.append(head.split(" ")[1])
        await peer.send(b"HTTP/1.1 502 No\r\n\r\n")

    async with serving(handler) as proxy:
        with pytest.raises(ConnectError, match="502"):
            await get(client, "https://[2001:db8::1]/v1", proxy=proxy.url)
    assert tunnels == ["[2001:db8::1]:443"]


async def test_only_addresses_that_are_allowed() -> None:
    seen: list[str] = []

    def allows(address: str) -> bool:
        seen.append(address)
        return False

    async with serving(answering(OK)) as server:
        client = Client(Options(allows=allows))
        for url in (server.url, server.url.replace("127.0.0.1", "localhost")):
            with pytest.raises(ConnectError, match="no address that may be asked"):
                await client.request("GET", url, Headers())
        await client.close()
    assert set(seen) <= {"127.0.0.1", "::1"}
    assert "127.0.0.1" in seen
