"""Chunks that repeat the one before but for a string: read without parsing them.

A provider streams a piece of text as the same JSON again and again, with another string in the same place,
and perhaps another padding against traffic analysis. Once such a chunk has been parsed, the bytes around its
strings are known; a chunk that begins, goes on and ends with those same bytes says the same of its own
string. Where the text needs no closer look, four of five recorded chunks are of this kind
(`tests/core/test_repeats.py`), and one of them costs a fifth of what parsing it would.

Nothing here knows a wire format: the decoder says where the strings stand (`Decoder.holes`). `core.repeats`
uses it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from claude_code_proxy.core import sse, wire

END = b"\n\n"
"""What ends a chunk."""

_UNCLEAR = (-1, -1)
_MARKS = ("x0", "x1")  # stand for the text and the padding when a template is tried out


class Hole(NamedTuple):
    """Where a string stands in a parsed chunk: `owner[key]`."""

    owner: dict[str, Any]
    key: str


class Template:
    """The bytes around the strings of a chunk: `head`, perhaps `middle`, `tail`.

    With a `middle` one of the two strings is padding, the first one if `padding_first`.
    """

    __slots__ = ("_close", "_gap", "_head", "_line", "_middle", "_padding_first")

    def __init__(self, head: bytes, middle: bytes, tail: bytes, *, padding_first: bool) -> None:
        self._head = head
        self._middle = middle
        self._padding_first = padding_first
        self._close = tail + END
        self._gap = self._close + head  # between the strings of two chunks
        self._line = self._close.index(b"\n")  # how far the line goes on behind the strings

    def read(self, data: bytes) -> tuple[list[bytes], int]:
        """The texts of the leading chunks of `data` that fit, as they stand in the JSON, and their length.

        The texts are not checked to be JSON strings; none is empty.
        """
        if not data.startswith(self._head):
            return [], 0
        gap, line = self._gap, self._line
        size, start = len(gap), len(self._head)
        strings: list[bytes] = []
        # One byte is faster to find than two; one comparison sees a chunk's end and the next one's beginning.
        while (stop := data.find(b"\n", start) - line) > start:
            end = stop + size
            last = data[stop:end] != gap
            if last and not data.startswith(self._close, stop):
                break
            strings.append(data[start:stop])
            start = end
            if last:
                break
        if not self._middle:
            return strings, start - len(self._head)
        texts = self._unpadded(strings)
        return texts, size * len(texts) + sum(map(len, strings[: len(texts)]))

    def fill(self, text: bytes, padding: bytes) -> bytes:
        """The chunk with these strings."""
        first, second = (padding, text) if self._padding_first else (text, padding)
        inner = first + self._middle + second if self._middle else text
        return self._head + inner + self._close

    def _unpadded(self, strings: list[bytes]) -> list[bytes]:
        """The text of each, up to one where the other string does not look like padding."""
        texts: list[bytes] = []
        for string in strings:
            first, _, second = string.partition(self._middle)
            text, padding = (second, first) if self._padding_first else (first, second)
            if not text or not padding.isalnum():
                break
            texts.append(text)
        return texts


def learn(chunk: bytes, payload: dict[str, Any], holes: list[Hole]) -> Template | None:
    """The template of a chunk; None where it has none.

    `chunk` are the bytes of one event with its `END`, `payload` is its JSON, which is changed by this. The
    text stands in the first of `holes`; a second one holds padding.
    """
    spots = [_spot(chunk, key, owner[key]) for owner, key in holes]
    if _UNCLEAR in spots or not chunk.endswith(END):
        return None
    cuts = [0, *(position for spot in sorted(spots) for position in spot), len(chunk) - len(END)]
    fixed = [chunk[cuts[at] : cuts[at + 1]] for at in range(0, len(cuts), 2)]
    middle = fixed[1] if len(holes) > 1 else b""
    template = Template(fixed[0], middle, fixed[-1], padding_first=spots != sorted(spots))
    return template if _holds(template, payload, holes) else None


def _spot(chunk: bytes, key: str, value: str) -> tuple[int, int]:
    """Where the string of `key` begins and ends in `chunk`."""
    text = wire.dumps(value)
    for colon in (b":", b": "):
        field = wire.dumps(key) + colon + text
        if chunk.count(field) == 1:
            end = chunk.find(field) + len(field) - 1
            return end - len(text) + 2, end
    return _UNCLEAR


def _holds(template: Template, payload: dict[str, Any], holes: list[Hole]) -> bool:
    """Whether other strings in the holes of `template` are the same change to `payload`."""
    for (owner, key), mark in zip(holes, _MARKS, strict=False):
        owner[key] = mark
    events = sse.Decoder().feed(template.fill(*map(str.encode, _MARKS)))
    try:
        return [(event.name, wire.loads(event.data)) for event in events] == [("", payload)]
    except wire.WireError:
        return False
