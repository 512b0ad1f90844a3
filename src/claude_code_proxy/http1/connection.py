"""One connection: a request goes out, its answer is read as it arrives.

The hot path is `data_received`, which runs for every piece that the network brings. No task belongs to a
connection, and one future to whoever waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from claude_code_proxy.http1.header_fields import Headers
from claude_code_proxy.http1.response_reader import BODY, DONE, HEAD, IDLE, LIMIT, AnswerParser

from .address import Origin
from .errors import AnswerError, CutError, HttpError, ResetError

READ_BUFFER = LIMIT
"""Bytes that wait for `read` before reading pauses."""
SLICE = 256 << 10
"""Bytes of a request's body written at once: the loop stays free, and the transport's buffer small."""

_ENDED = "the server closed the connection"


class Connection(asyncio.Protocol):
    """A connection to an origin, for one exchange after the other: `ask`, `read` to the end, `rest`.

    `lost` is called once, when the connection is closed by whomever. `born` and `expires` are the pool's
    notes of when it was made, and of when it is closed if it is idle; `whose` says whose requests it serves.
    """

    __slots__ = (
        "_answer",
        "_body",
        "_closed",
        "_failure",
        "_full",
        "_loop",
        "_lost",
        "_paused",
        "_transport",
        "_waiter",
        "born",
        "expires",
        "origin",
        "whose",
    )

    def __init__(
        self, loop: asyncio.AbstractEventLoop, origin: Origin, lost: Callable[[Connection], None]
    ) -> None:
        self.origin = origin
        self.born = 0.0
        self.expires = 0.0
        self.whose = 0
        self._loop = loop
        self._lost = lost
        self._transport: asyncio.Transport
        self._closed = True  # until it is made
        self._failure: Callable[[], HttpError] = partial(CutError, _ENDED)  # why there is no whole answer
        self._waiter: asyncio.Future[None] | None = None
        self._answer = AnswerParser()
        self._paused = False  # reading
        self._body: memoryview | None = None  # what is still to be written of the request's
        self._full = False  # the transport wants no more for now

    # --- for the client -------------------------------------------------------------------------------
    async def ask(self, head: bytes, body: bytes) -> None:
        """Send a request; returns when the head of its final answer is there.

        The rest of a large body goes out meanwhile and afterwards, unless the answer is a refusal. Raises
        `ResetError` and `AnswerError`; then, and when it is cancelled, the connection is closed.
        """
        if not self.is_idle:  # lost since it was made
            raise ResetError(_ENDED)
        answer = self._answer
        answer.begin()
        if len(body) <= SLICE:
            self._transport.writelines((head, body) if body else (head,))
        else:
            self._transport.write(head)
            self._body = memoryview(body)
            self._write_on()
        try:
            while answer.stage is HEAD:
                await self._news()
        except BaseException:
            self.close()
            raise

    async def read(self) -> bytes:
        """What arrived since the last read; b"" at the end. Raises `CutError` and `AnswerError`."""
        answer = self._answer
        while not answer.pieces:
            if answer.stage is DONE:
                return b""
            await self._news()
        if self._paused:
            self._resume()
        return answer.take()

    @property
    def status(self) -> int:
        """The status of the answer, since `ask` returned."""
        return self._answer.status

    @property
    def headers(self) -> Headers:
        """The headers of the answer, since `ask` returned."""
        return self._answer.headers

    @property
    def has_unread(self) -> bool:
        """Whether something of a body waits for `read`."""
        return bool(self._answer.pieces)

    @property
    def is_complete(self) -> bool:
        """Whether the answer has arrived to its end, read or not."""
        return self._answer.stage is DONE

    @property
    def is_reusable(self) -> bool:
        """Whether the exchange left the connection ready for another one (RFC 9112 9.3)."""
        return (
            self._answer.stage is DONE
            and self._answer.keeps
            and self._body is None
            and not self._transport.get_write_buffer_size()
            and not self._transport.is_closing()
        )

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs on the connection and it is open, as far as anyone knows."""
        return not self._closed and self._answer.stage is IDLE and not self._transport.is_closing()

    def rest(self) -> None:
        """Forget the exchange that left the connection reusable."""
        self._answer.reset()
        if self._paused:
            self._resume()

    def close(self) -> None:
        """Close the connection at once, whatever is under way on it.

        An idle one says goodbye (TLS `close_notify`, RFC 8446 6.1); one with an exchange under way does not,
        so that the server stops.
        """
        graceful = self._answer.stage in (IDLE, DONE) and self._body is None
        self._over("the connection was closed here", graceful=graceful)

    def hand_over(self) -> asyncio.Transport:
        """Give the transport to another protocol; this one is of no more use. Raises `ResetError`."""
        if self._closed:
            raise ResetError(_ENDED)
        self._closed = True
        self._answer.end(cleanly=True)
        return self._transport

    def _news(self) -> asyncio.Future[None]:
        """What is done when something comes. Raises what there is to raise when nothing will."""
        if self._closed:
            raise self._failure()
        self._waiter = self._loop.create_future()
        return self._waiter

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _resume(self) -> None:
        self._paused = False
        self._transport.resume_reading()

    # --- the transport: what comes --------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = transport  # type: ignore[assignment]
        self._closed = False

    def data_received(self, data: bytes) -> None:
        """Read what came; whoever waits hears of a head, a body or an end."""
        answer = self._answer
        if self._closed or answer.stage is IDLE or answer.stage is DONE:
            self.close()  # nobody asked for it (RFC 9112 9.2)
            return
        try:
            answer.feed(data)
        except AnswerError as error:
            self._over(error=error)
            return
        if answer.stage is HEAD:
            return
        if self._body is not None and answer.status >= 300:
            self._body = None  # a refusal: the server does not want the rest (RFC 9112 9.5)
            answer.keeps = False
        if answer.unread > READ_BUFFER and answer.stage is BODY and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """The server will send no more."""
        self._over()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._over("" if exc is None else " ".join(str(exc).split()) or type(exc).__name__)

    def _over(self, words: str = "", error: AnswerError | None = None, *, graceful: bool = False) -> None:
        """Nothing more will come: the server ended it, or something failed that `words` or `error` say."""
        if self._closed:
            return
        self._closed = True
        answer = self._answer
        answer.end(cleanly=not words and error is None)
        if error is not None:
            self._failure = partial(AnswerError, *error.args)
        elif answer.stage is HEAD:
            self._failure = partial(ResetError, words or _ENDED, unheard=not answer.unread)
        else:
            self._failure = partial(CutError, words or _ENDED)
        self._body = None
        if graceful:
            self._transport.close()
        else:
            self._transport.abort()
        self._wake()
        self._lost(self)

    # --- the transport: what goes ---------------------------------------------------------------------
    def _write_on(self) -> None:
        """Write the next slice of the body, and come back for the one after it."""
        if self._body is None or self._full:
            return
        self._transport.write(self._body[:SLICE])
        self._body = self._body[SLICE:] if len(self._body) > SLICE else None
        self._loop.call_soon(self._write_on)

    def pause_writing(self) -> None:
        """The server takes less than was written."""
        self._full = True

    def resume_writing(self) -> None:
        """The server took what was written."""
        self._full = False
        self._loop.call_soon(self._write_on)
