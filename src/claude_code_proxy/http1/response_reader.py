"""An answer out of the bytes of a connection, however they are cut (RFC 9112). No I/O.

The parser (llhttp, in C) appends the body straight to a list, which `take` empties. It is strict about
everything by which two readers of one stream could disagree: `Content-Length` twice or beside
`Transfer-Encoding`, folded lines, control characters. It forgives a bare LF at the end of a line, as RFC 9112
2.2 allows, and spaces after the size of a chunk, which some servers send.
"""

from __future__ import annotations

import enum

import httptools

from claude_code_proxy.http1.errors import AnswerError
from claude_code_proxy.http1.header_fields import Headers

LIMIT = 64 << 10
"""Bytes of the largest head, trailer or chunk extension."""
_NO_HEADERS = Headers()


class Stage(enum.Enum):
    """How far an answer is."""

    IDLE = enum.auto()
    """None is expected."""
    HEAD = enum.auto()
    BODY = enum.auto()
    DONE = enum.auto()


IDLE, HEAD, BODY, DONE = Stage


class AnswerParser:
    """One answer after another: `begin`, `feed` until the stage is `DONE`; `end` when the stream ends.

    `status` and `headers` are there from the stage `BODY` on, `keeps` says whether the connection may serve
    another request. `pieces` and `unread` are what came since the last `take`: of the body, and bytes of any
    kind.
    """

    __slots__ = ("_fields", "_parser", "headers", "keeps", "on_body", "pieces", "stage", "status", "unread")

    def __init__(self) -> None:
        self.stage = IDLE
        self.status = 0
        self.headers = _NO_HEADERS
        self.keeps = True
        self.pieces: list[bytes] = []
        self.unread = 0
        self.on_body = self.pieces.append
        self._fields: list[tuple[bytes, bytes]] = []
        self._parser = httptools.HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(
            lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )

    def begin(self) -> None:
        """A request is being sent: an answer is expected."""
        self.stage = HEAD

    def feed(self, data: bytes) -> None:
        """Take what came. Raises `AnswerError`; after that nothing more can be fed."""
        self.unread += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if self.stage is not DONE:
                cause = error.__context__  # raised below, in one of the parser's calls
                raise cause if isinstance(cause, AnswerError) else AnswerError(str(error)) from None
            self.keeps = False  # the answer is whole; what follows it is nobody's (RFC 9112 9.2)
        else:
            if self.unread > LIMIT and not self.pieces and self.stage is not DONE:
                raise AnswerError(_TOO_LARGE)

    def take(self) -> bytes:
        """What came of the body since the last time."""
        data = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
        self.pieces.clear()
        self.unread = 0
        return data

    def end(self, *, cleanly: bool) -> None:
        """The stream ended, `cleanly` if nothing failed: which is the end of some bodies (RFC 9112 6.3)."""
        has_length = "content-length" in self.headers or "transfer-encoding" in self.headers
        if self.stage is BODY and cleanly and not has_length:
            self.stage = DONE
        self.keeps = False
        del self._parser  # it knows this object as this object knows it

    def reset(self) -> None:
        """Forget an answer that is done."""
        self.stage = IDLE
        self.status = 0
        self.headers = _NO_HEADERS
        self.pieces.clear()
        self.unread = 0

    # --- called by the parser (`on_body` is the list's own append) ------------------------------------
    def on_message_begin(self) -> None:
        """The first byte of an answer, or of something after it."""
        if self.stage is DONE:
            raise AnswerError("there is more than one response")

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field of a head or a trailer."""
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """The end of a head: of the answer, or of an interim one (RFC 9110 15.2), which nobody needs."""
        status, fields = self._parser.get_status_code(), self._fields
        self._fields = []
        if self.unread > LIMIT and sum(len(name) + len(value) + 4 for name, value in fields) > LIMIT:
            raise AnswerError(_TOO_LARGE)
        if not self._parser.get_http_version().startswith("1."):
            raise AnswerError("the response is of another version of HTTP")
        if status > 599:
            raise AnswerError(f"the response has the status {status}")
        if status < 200:
            if status < 100 or status == 101:  # no other protocol was asked for
                raise AnswerError(f"the response has the status {status}")
            return
        headers = Headers.received(fields)
        codings = headers.all("transfer-encoding")
        if codings and (len(codings) > 1 or codings[0].lower() != "chunked"):  # RFC 9112 7.4
            raise AnswerError("the response has an unknown transfer coding")  # none other was asked for
        self.status, self.headers = status, headers
        self.keeps = self._parser.should_keep_alive()
        self.stage = BODY

    def on_message_complete(self) -> None:
        """The end of an answer, or of an interim one."""
        self._fields.clear()  # a trailer says nothing that was asked for (RFC 9110 6.5.1)
        if self.stage is BODY:
            self.stage = DONE
        elif self.pieces:
            raise AnswerError("an interim response has a body")


_TOO_LARGE = f"the head or trailer of the response is larger than {LIMIT} bytes"
