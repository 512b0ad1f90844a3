"""How a response is written to its client: the head together with the first piece of the body."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from .caller.call import DEPARTURE, Scope

_BODYLESS = (204, 304)


class ResponseCycle(RequestResponseCycle):
    """One request and its response on a connection.

    Sends the bytes that uvicorn's own sends, but the head and the first piece of the body in one write, and
    looks at all headers at once. A response that breaks HTTP raises `RuntimeError`.
    """

    logger = logging.getLogger("uvicorn.error")
    disconnected = False
    body: Any = b""  # what came of it since `receive` was called
    more_body = True
    response_started = False
    response_complete = False
    _has_news = False  # that `receive` has not told yet
    _waiter: asyncio.Future[None] | None = None  # what `receive` waits for
    _head = b""  # waits for the first piece of the body, until the event loop's next turn at the latest
    _left: int | None = None  # bytes that Content-Length still promises; None: the body is chunked

    def __init__(self, connection: HttpToolsProtocol, scope: Scope, *, keep_alive: bool) -> None:
        self.scope: Any = scope
        self.transport = connection.transport
        self.flow = connection.flow
        self.default_headers = connection.server_state.default_headers
        self.on_response = connection.on_response_complete
        self.keep_alive = keep_alive
        headers = scope["headers"]
        self.waiting_for_100_continue = b"expect" in dict(headers) and any(
            name == b"expect" and value.lower() == b"100-continue" for name, value in headers
        )

    def take(self, body: bytes) -> None:
        """A piece of the request's body has come."""
        if self.response_complete:
            return
        if not self.body:  # most bodies come in one piece, which need not be copied into a bytearray and out
            self.body = body
        elif isinstance(self.body, bytes):
            self.body = bytearray(self.body) + body
        else:
            self.body += body
        self._has_news = True
        self._wake()

    def end_body(self) -> None:
        """The request's body has come as a whole."""
        if not self.response_complete:
            self.more_body = False
            self._has_news = True
            self._wake()

    def leave(self) -> None:
        """The connection has ended."""
        self.disconnected = not self.response_complete
        self._wake()
        self.scope["state"][DEPARTURE].come()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def receive(self) -> Any:
        """The next ASGI event: what came of the body since the last one, or that nothing comes any more."""
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        if not self._has_news and not self.disconnected and not self.response_complete:
            self.flow.resume_reading()
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        self._has_news = False
        body, self.body = self.body, b""
        return {"type": "http.request", "body": bytes(body), "more_body": self.more_body}

    async def send(self, message: Any) -> None:
        """Send an ASGI event; waits while the client reads slower than we write."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if message["type"] == "http.response.start":
            self._start(message["status"], [*self.default_headers, *message["headers"]])
        else:
            self._write(message.get("body", b""), more=message.get("more_body", False))

    def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.response_started = True
        self.waiting_for_100_continue = False
        named = dict(headers)
        if named.get(b"connection") == b"close":
            self.keep_alive = False
        elif not self.keep_alive:
            headers.append((b"connection", b"close"))
        length = named.get(b"content-length")
        if length is not None:
            self._left = int(length)
        elif status in _BODYLESS or self.scope["method"] == "HEAD":
            self._left = 0
        else:
            headers.append((b"transfer-encoding", b"chunked"))
        lines = b"\r\n".join((*map(b": ".join, headers), b"\r\n"))
        ends = len(headers) + 1
        if lines.count(b"\n") != ends or lines.count(b"\r") != ends or b"\0" in lines:
            raise RuntimeError("a header of a response has a line break in it")
        self._head = STATUS_LINE[status] + lines
        asyncio.get_running_loop().call_soon(self._flush)

    def _write(self, body: bytes, *, more: bool) -> None:
        head, self._head = self._head, b""
        if self._left is None:
            pieces = [head, b"%x\r\n" % len(body), body, b"\r\n"] if body else [head]
            if not more:
                pieces.append(b"0\r\n\r\n")
        elif self.scope["method"] == "HEAD":
            pieces = [head]
        else:
            self._left -= len(body)
            if self._left < 0 or (self._left and not more):
                raise RuntimeError("a body is not as long as its Content-Length says")
            pieces = [head, body]
        if data := b"".join(pieces):
            self.transport.write(data)
        if not more:
            self.response_complete = True
            self._wake()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()

    def _flush(self) -> None:
        """Send the head alone, where no body has followed it."""
        head, self._head = self._head, b""
        if head and not self.disconnected:
            self.transport.write(head)
