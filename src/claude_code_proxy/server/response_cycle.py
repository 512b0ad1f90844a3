"""How a response is written to its client: the head together with the first piece of the body."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

if TYPE_CHECKING:
    from collections.abc import Sequence

_BODYLESS = (204, 304)


class ResponseCycle(RequestResponseCycle):
    """One request and its response on a connection.

    Sends the bytes that uvicorn's own sends, but the head and the first piece of the body in one write, and
    looks at all headers at once. A response that breaks HTTP raises `RuntimeError`.
    """

    _head = b""  # waits for the first piece of the body, until the event loop's next turn at the latest
    _left: int | None = None  # bytes that Content-Length still promises; None: the body is chunked

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
        self._head = STATUS_LINE[status] + _lines(headers)
        asyncio.get_running_loop().call_soon(self._flush)

    def _write(self, body: bytes, *, more: bool) -> None:
        head, self._head = self._head, b""
        if self.scope["method"] == "HEAD":
            pieces = [head]
        elif self._left is None:
            pieces = [head, b"%x\r\n" % len(body), body, b"\r\n"] if body else [head]
            if not more:
                pieces.append(b"0\r\n\r\n")
        else:
            self._left -= len(body)
            if self._left < 0 or (self._left and not more):
                raise RuntimeError("a body is not as long as its Content-Length says")
            pieces = [head, body]
        if data := b"".join(pieces):
            self.transport.write(data)
        if not more:
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()

    def _flush(self) -> None:
        """Send the head alone, where no body has followed it."""
        head, self._head = self._head, b""
        if head and not self.disconnected:
            self.transport.write(head)


def _lines(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The lines of headers with the empty one at their end."""
    lines = list(map(b": ".join, headers))
    text = b"\r\n".join((*lines, b"", b""))
    ends = len(lines) + 1
    if text.count(b"\n") != ends or text.count(b"\r") != ends or b"\0" in text:
        raise RuntimeError("a header of a response has a line break in it")
    return text
