"""Server-sent events: bytes to events and back.

Follows the event-stream grammar of the HTML standard, and bears what providers really send: comments,
CR and CRLF, a byte-order mark, no space after the colon, several data lines, bare JSON lines without a
field name, an `error:` field, no final newline, and a whole document where a stream was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from claude_code_proxy.core import wire

MAX_EVENT = 32 << 20
"""Largest event or line, in bytes; whole tool calls arrive as one line. A decoder may have another limit."""
_LINE_COST = 64  # bytes that a line takes beside its own

PING = b'event: ping\ndata: {"type":"ping"}\n\n'

END_OF_EVENT = re.compile(rb"\r\n\r\n|\n\n|\r\r")
"""The blank line after an event."""

_LEADING = b" \t\r\n\xef\xbb\xbf"  # blank lines and a byte-order mark, in any order


class Event(NamedTuple):
    """One event: the value of its `event:` field ("" without one) and its data, lines joined by LF."""

    name: str
    data: bytes


class EventTooLarge(ValueError):  # noqa: N818 - reads as what happened
    """The peer sent an event beyond the limit."""


class Decoder:
    """Incremental reader: `feed` bytes cut anywhere, get the events that are complete; then `close`.

    Raises `EventTooLarge` from `feed`.
    """

    def __init__(self, max_event: int = MAX_EVENT) -> None:
        self._max_event = max_event
        self._tail = bytearray()  # an unfinished line, or the whole document
        self._after_cr = False  # the last read ended with CR: an LF that follows belongs to it
        self._at_start = True
        self.is_document = False
        """What came is no event stream: JSON over several lines, HTML, one line of JSON that never ended."""
        self._name = ""
        self._data: list[bytes] = []
        self._size = 0
        self.between = False
        """Nothing is pending, and something came: what comes next is the beginning of an event."""

    def feed(self, data: bytes) -> list[Event]:
        """Take the next read; return the events it completed."""
        if self.between and _is_one_event(data) and len(data) <= self._max_event:
            return [Event("", data[6:-2])]
        events = self._read(data)
        self.between = not (self._tail or self._data or self._name or self._after_cr or self._at_start)
        return events

    def _read(self, data: bytes) -> list[Event]:
        if self._after_cr and data:
            self._after_cr = False
            if data.startswith(b"\n"):
                data = data[1:]
        end = data.rfind(b"\n") + 1
        if b"\r" in data:
            end = max(end, data.rfind(b"\r") + 1)
        if self.is_document or not end:
            self._tail += data
            self._check(len(self._tail))
            return []
        complete = bytes(self._tail) + data[:end] if self._tail else data[:end]
        if self._tail or end < len(data):
            self._tail = bytearray(data[end:])
        self._after_cr = not self._tail and complete.endswith(b"\r")
        if self._at_start:
            complete = complete.lstrip(_LEADING)
            if not complete:
                return []
            self._at_start = False
            if self._starts_document(complete):
                self.is_document = True
                self._after_cr = False  # every byte of a document counts
                self._tail[:0] = complete
                return []
        events: list[Event] = []
        if self._data or self._name or b"\r" in complete or len(complete) > self._max_event:
            self._lines(complete.splitlines(), events)  # of bytes: splits on LF, CR and CRLF only
            return events
        *blocks, rest = complete.split(b"\n\n")
        for block in blocks:
            if block.startswith(b"data: ") and b"\n" not in block:  # nearly every event of every provider
                events.append(Event("", block[6:]))
            else:
                self._lines([*block.splitlines(), b""], events)
        if rest:
            self._lines(rest.splitlines(), events)
        return events

    def close(self) -> list[Event]:
        """The upstream ended: return what was pending, complete or not; the caller sees if it parses."""
        rest = bytes(self._tail)
        self._tail.clear()
        if self.is_document:
            return [Event("", rest)]
        if self._at_start:
            rest = rest.lstrip(_LEADING)
        if rest.strip():
            self.is_document = self._line(rest) and self._at_start
        return [self._dispatch()] if self._data else []

    def _starts_document(self, complete: bytes) -> bool:
        """Whether the first line opens a document (JSON over several lines, HTML) instead of an event."""
        first = complete.lstrip().partition(b"\n")[0].partition(b"\r")[0]
        if first[:1] == b"<":
            return True
        if first[:1] not in (b"{", b"["):
            return False
        try:
            wire.loads_bounded(first)
        except wire.WireError:
            return True
        return False

    def _lines(self, lines: list[bytes], events: list[Event]) -> None:
        for line in lines:
            if line:
                bare = self._line(line)
                if bare and len(self._data) == 1:
                    events.append(self._dispatch())
            elif self._data:
                events.append(self._dispatch())
            else:
                self._name = ""

    def _line(self, line: bytes) -> bool:
        """Take a line; return whether it is a whole event: JSON, or an error page, without a field name."""
        field, colon, value = line.partition(b":")
        if not colon or field not in _FIELDS:
            bare = line[:1] in (b"{", b"[", b"<")
            if bare:
                self._append(line)
            return bare
        value = value.removeprefix(b" ")
        if field == b"data":
            self._append(value)
        elif field == b"event":
            self._name = value.decode("utf-8", "replace").strip()
        else:
            self._name = "error"
            self._append(value)
        return False

    def _append(self, value: bytes) -> None:
        self._size += len(value) + (_LINE_COST if self._data else 0)
        self._check(self._size)
        self._data.append(value)

    def _dispatch(self) -> Event:
        event = Event(self._name, self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
        self._name, self._data, self._size = "", [], 0
        return event

    def _check(self, size: int) -> None:
        if size > self._max_event:
            raise EventTooLarge(f"an event of more than {self._max_event} bytes")


_FIELDS = frozenset((b"data", b"event", b"error"))  # llama-box names its error field `error:`


def _is_one_event(data: bytes) -> bool:
    """Whether `data` is one whole event with nothing but a line of data, as most reads of streams are."""
    plain = data[:6] == b"data: " and data[-2:] == b"\n\n"
    return plain and data.count(b"\n") == 2 and b"\r" not in data


def encode(event: dict[str, Any]) -> bytes:
    """One Anthropic event as bytes; its `event:` name is the `type` of its data."""
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), wire.dumps(event))


def encode_all(events: Iterable[dict[str, Any]]) -> bytes:
    """Anthropic events as bytes, one after the other."""
    return b"".join(map(encode, events))


_LINE_END = re.compile(rb"\r\n|\n|\r")


def data_of(event: bytes) -> bytes:
    """The data of one event, its lines joined."""
    lines = _LINE_END.split(event)
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:"))
