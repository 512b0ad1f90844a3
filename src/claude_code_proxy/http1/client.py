"""Requests and their answers."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Literal

from claude_code_proxy.http1.header_fields import Headers

from .address import locate, sendable
from .client_options import Options
from .coding import Decoder
from .connection import Connection
from .errors import CutError, ResetError
from .pool import Pool

DEFAULT = Options()


class Response:
    """An answer whose head is there. `close` it when done: read to its end, its connection is kept."""

    __slots__ = ("_connection", "_decoder", "_pool", "headers", "status")

    def __init__(self, connection: Connection, pool: Pool) -> None:
        self.status = connection.status
        self.headers = connection.headers
        self._connection: Connection | None = connection
        self._pool = pool
        coding = self.headers.get("content-encoding") or "identity"
        self._decoder = None if coding == "identity" else Decoder(coding)

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters; "application/octet-stream" if none is given."""
        value = self.headers.get("content-type") or "application/octet-stream"
        return value.partition(";")[0].strip().lower()

    @property
    def at_end(self) -> bool:
        """Whether the whole answer has arrived, read or not."""
        return self._connection is not None and self._connection.is_complete

    def read(self) -> Coroutine[Any, Any, bytes]:
        """What arrived since the last read; b"" at the end. Raises `CutError` and `AnswerError`."""
        if self._connection is None:
            raise CutError("the response was closed")
        if self._decoder is not None:
            return self._decoder.read(self._connection.read)
        return self._connection.read()

    def close(self) -> None:
        """Be done with the answer: a connection on which it has not ended is closed at once."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.give(connection)
            self._pool.leave(connection.origin)


class Client:
    """Sends requests over connections that it keeps.

    Of a request nothing is remembered but its address without the query.
    """

    def __init__(self, options: Options = DEFAULT) -> None:
        self._pool = Pool(options)

    async def request(
        self,
        method: Literal["GET", "POST"],
        url: str,
        headers: Headers,
        body: bytes = b"",
        *,
        proxy: str | None = None,
        connect_timeout: float = 30.0,
        resend: bool = False,
        whose: int = 0,
    ) -> Response:
        """Send a request; returns when the head of the answer is there, of whatever status.

        A kept connection is used only for requests that are `whose` the one was that it was made for.

        `proxy` is the URL of an HTTP proxy to go through, `connect_timeout` the seconds that looking up the
        host, TCP, the proxy's tunnel and TLS may take together. Cancelling it closes the connection.

        `resend`: the request goes out once more, over a new connection, when a kept one ends before any byte
        of an answer. Then the server has most likely closed it while it was idle and seen nothing, but nobody
        can know, so RFC 9112 9.3.1 leaves it to who knows what a second request does. Browsers and curl do it
        for every method, Go and nginx only where the method is idempotent.

        Raises `RequestError` for what cannot be sent, `ConnectError`, `ResetError` and `AnswerError`.
        """
        address, mark, query = url.partition("#")[0].partition("?")
        target = locate(address, proxy)
        path = f"{target.path}{mark}{sendable(query)}" if query else target.path + mark
        line = f"{method} {path} HTTP/1.1\r\n{target.fields}".encode("ascii")
        length = b"Content-Length: %d\r\n\r\n" % len(body) if method == "POST" else b"\r\n"
        head = line + headers.encode() + length
        origin, pool = target.origin, self._pool
        if not pool.take_turn(origin):
            await pool.wait(origin, connect_timeout)
        try:
            connection = pool.take(origin, whose)
            if connection is not None:
                try:
                    await connection.ask(head, body)
                    return Response(connection, pool)
                except ResetError as error:
                    if not error.unheard:
                        raise
                    pool.forget(origin)  # the others are no better
                    if not resend:
                        raise
            connection = await pool.dial(origin, connect_timeout, whose)
            await connection.ask(head, body)
            return Response(connection, pool)
        except BaseException:
            pool.leave(origin)
            raise

    async def close(self) -> None:
        """Close every connection."""
        self._pool.close()
        await asyncio.sleep(0)  # the loop closes the sockets in its next turn
