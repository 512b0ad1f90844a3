"""What a connection hears and says is what uvicorn's own protocol does, however the bytes come.

What differs on purpose, trailers and faults, is in `test_connections`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.server.connections import Connections
from tests.server.harness import eventually
from tests.server.test_response_cycle import DATE, Transport

GET = b"GET /a%20b?c=%20d HTTP/1.1\r\nHost: me\r\nX-Odd: caf\xe9\r\nx-odd: two\r\n\r\n"
POST = b"POST /echo HTTP/1.1\r\nhost: me\r\ncontent-length: 5\r\n\r\nhello"
CHUNKED = b"POST /echo HTTP/1.1\r\nhost: me\r\ntransfer-encoding: chunked\r\n\r\n"
LARGE = b"POST /echo HTTP/1.1\r\nhost: me\r\ncontent-length: 200000\r\n\r\n" + b"x" * 200_000
CONTINUE = b"POST /echo HTTP/1.1\r\nhost: me\r\nexpect: 100-Continue\r\ncontent-length: 5\r\n\r\n"
GREETING = b"HEAD / HTTP/1.1\r\nhost: me\r\n\r\n"

CASES: dict[str, bytes] = {
    "no body": GET,
    "a body": POST,
    "a chunked body": CHUNKED + b"2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\n\r\n",
    "a large body": LARGE,
    "a body that ends later": LARGE[:150_000],
    "an empty body": b"POST /echo HTTP/1.1\r\nhost: me\r\ncontent-length: 0\r\n\r\n",
    "100-continue": CONTINUE + b"hello",
    "100-continue without a body": CONTINUE,
    "another expectation": CONTINUE.replace(b"100-C", b"200-c") + b"hello",
    "two expectations": CONTINUE.replace(b"\r\ncon", b"\r\nexpect: cake\r\ncon") + b"hello",
    "100-continue that nobody waits for": CONTINUE.replace(b"/echo", b"/early") + b"hello",
    "HEAD": GREETING,
    "HTTP/1.0": b"GET / HTTP/1.0\r\nhost: me\r\n\r\n",
    "HTTP/1.0 that wants to be kept": b"GET / HTTP/1.0\r\nhost: me\r\nconnection: keep-alive\r\n\r\n",
    "the last of a connection": POST.replace(b"\r\ncon", b"\r\nconnection: close\r\ncon") + GET,
    "one after the other": GET + POST + GREETING + POST,
    "a slow one with others behind it": POST.replace(b"/echo", b"/slow") + POST + LARGE + GREETING,
    "an early answer": LARGE.replace(b"/echo", b"/early") + POST,
    "an upgrade that nobody makes": GET.replace(
        b"\r\n\r\n", b"\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    ),
    "an upgrade with a body": POST.replace(b"\r\ncon", b"\r\nconnection: upgrade\r\nupgrade: h2c\r\ncon"),
    "a whole URL": GET.replace(b"GET /", b"GET http://me/"),
    "no path": b"OPTIONS * HTTP/1.1\r\nhost: me\r\n\r\n",
    "a path of other bytes": b"GET /caf\xe9 HTTP/1.1\r\nhost: me\r\n\r\n",
    "no request": b"\x16\x03\x01 hello\r\n\r\n",
    "an app that fails": GET.replace(b"/a", b"/fail/a") + GET,
    "an app that fails late": GET.replace(b"/a", b"/late/a") + GET,
    "an app that says nothing": GET.replace(b"/a", b"/nothing/a") + GET,
}


class Paused(Transport):
    """Can be told to read on later."""

    reads = True

    def pause_reading(self) -> None:
        """Read no more."""
        self.reads = False

    def resume_reading(self) -> None:
        """Read again."""
        self.reads = True


class Peer:
    """One connection of `protocol`: what its app was told, and what it wrote."""

    def __init__(self, make: Any) -> None:
        self.seen: list[Any] = []
        config = uvicorn.Config(
            self.app, interface="asgi3", ws="none", access_log=False, log_config=None, proxy_headers=False
        )
        state = ServerState()
        state.default_headers = DATE
        self.transport = Paused()
        self.protocol = make(config=config, server_state=state, app_state={})
        self.protocol.connection_made(self.transport)

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        """Remember what was asked and answer with the body, as the path wants it."""
        self.seen.append({key: value for key, value in scope.items() if key not in ("state", "raw_path")})
        path, body, more = scope["path"], b"", not scope["path"].startswith("/early")
        if path.startswith("/fail"):
            raise ValueError
        if path.startswith("/nothing"):
            return
        while more:
            message = await receive()
            more = message.get("more_body", False)
            body += message.get("body", b"")
        if path.startswith("/slow"):
            await asyncio.sleep(0.01)
        self.seen.append(body)
        length = [(b"content-length", b"%d" % len(body))] if len(body) % 2 else []
        await send({"type": "http.response.start", "status": 200, "headers": length})
        if path.startswith("/late"):
            raise ValueError
        await send({"type": "http.response.body", "body": body[:3], "more_body": True})
        await send({"type": "http.response.body", "body": body[3:], "more_body": False})
        self.seen.append(await receive())

    async def feed(self, data: bytes, size: int) -> tuple[list[Any], bytes, bool]:
        """What became of `data`, in pieces of `size` bytes."""
        for start in range(0, len(data), size):
            await eventually(lambda: self.transport.reads)
            if not self.transport.closed:
                self.protocol.data_received(data[start : start + size])
            await asyncio.sleep(0)
        await asyncio.sleep(0.03)
        said, closed = b"".join(self.transport.writes), self.transport.closed
        self.protocol.connection_lost(None)
        await asyncio.sleep(0.001)
        return self.seen, said, closed


@pytest.mark.parametrize("size", [7, 700, 1 << 20])
@pytest.mark.parametrize("name", CASES)
async def test_as_uvicorn_s_own(name: str, size: int) -> None:
    data = CASES[name]
    if len(data) > 10_000 and size < 1000:
        size *= 100
    theirs = await Peer(HttpToolsProtocol).feed(data, size)
    ours = await Peer(Connections(ServerSettings(models=Path("none"))).protocol).feed(data, size)
    assert ours[0] == theirs[0]
    assert ours[2] == theirs[2]
    if b"400 Bad Request" in theirs[1]:  # ours says it in Anthropic's shape
        kept = theirs[1].index(b"HTTP/1.1 400")
        assert ours[1][:kept] == theirs[1][:kept]
        assert ours[1][kept:].startswith(b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n")
    else:
        assert ours[1] == theirs[1]
