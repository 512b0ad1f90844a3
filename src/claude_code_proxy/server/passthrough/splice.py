"""Edit single members of a JSON object in its bytes and leave every other byte as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from claude_code_proxy.core import wire

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_TOKEN = re.compile(_STRING + rb"|[{}\[\],:]", re.DOTALL)
_BRACKET = re.compile(_STRING + rb"|[{}\[\]]", re.DOTALL)
_SCALAR = re.compile(_STRING + rb"|[^\s,}\]]+", re.DOTALL)
_COLON = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*")
_SPACE = re.compile(rb"[ \t\r\n]*")


class _Member(NamedTuple):
    """A top-level member: where it begins, where its value begins, and where that ends."""

    key: str
    start: int
    value: int
    end: int


def replace(raw: bytes, values: Mapping[str, bytes | None]) -> bytes:
    """The JSON object `raw` with the values of top-level members replaced, or the members removed (None).

    `raw` must be valid JSON; `values` are JSON. A key that occurs twice is edited twice: parsers differ in
    which one they take. Raises nothing; keys that do not occur are ignored.
    """
    members = list(_members(raw))
    last = len(members)  # from here on to the end all members go, and the comma before them
    while last and values.get(members[last - 1].key, b"") is None:
        last -= 1
    edits = [
        (member.start, members[number + 1].start, b"")
        if (value := values[member.key]) is None
        else (member.value, member.end, value)
        for number, member in enumerate(members[:last])
        if member.key in values
    ]
    if last < len(members):
        start = raw.rindex(b",", 0, members[last].start) if last else members[0].start
        edits.append((start, members[-1].end, b""))
    for start, end, value in reversed(edits):
        raw = raw[:start] + value + raw[end:]
    return raw


def add(raw: bytes, values: Mapping[str, bytes]) -> bytes:
    """The JSON object `raw`, which is not empty, with further top-level members before its own."""
    start = raw.index(b"{") + 1
    members = b"".join(b'"%b":%b,' % (key.encode(), value) for key, value in values.items())
    return raw[:start] + members + raw[start:]


def replace_scalar(raw: bytes, key: str, old: str | int, new: bytes) -> bytes:
    """As `replace` for one member whose value is known to be the string or number `old`, only much faster.

    One plain value of a member of that name, at whatever depth, and the right one: then it is the member.
    Otherwise the whole object is read. (Claude Code's tools have a parameter `model`, but that is an object.)
    """
    found = list(_plain_values(raw, key))
    if len(found) == 1 and wire.loads(found[0][0]) == old:
        return raw[: found[0].start()] + new + raw[found[0].end() :]
    return replace(raw, {key: new})


def replace_first(raw: bytes, key: str, old: str, new: bytes) -> bytes:
    """The JSON text `raw` with `new` for the first member `key`, at whatever depth, that is `old`."""
    for found in _plain_values(raw, key):
        if found[0].startswith(b'"') and wire.loads(found[0]) == old:
            return raw[: found.start()] + new + raw[found.end() :]
    return raw


def _plain_values(raw: bytes, key: str) -> Iterator[re.Match[bytes]]:
    """The values of all members `key` that are neither objects nor arrays.

    Found by searching for the quoted name, 50 times as fast as a pattern that looks back. Inside a string it
    cannot occur, its quotes would be escaped; at the end of a longer key it can, which is one hit more.
    """
    quoted = b'"%b"' % key.encode()
    position = raw.find(quoted)
    while position >= 0:
        end = position + len(quoted)
        if colon := _COLON.match(raw, end):
            value = _SCALAR.match(raw, colon.end())
            if value is not None and value[0][:1] not in (b"{", b"["):
                yield value
        position = raw.find(quoted, end)


def _members(raw: bytes) -> Iterator[_Member]:
    """The top-level members of the object in order."""
    position = raw.index(b"{") + 1
    while (token := _TOKEN.search(raw, position)) is not None and token[0] != b"}":
        if token[0] == b",":
            position = token.end()
            continue
        colon = raw.index(b":", token.end())
        space = _SPACE.match(raw, colon + 1)
        assert space is not None
        value = space.end()
        end = _end_of_value(raw, value)
        yield _Member(str(wire.loads(token[0])), token.start(), value, end)
        position = end


def _end_of_value(raw: bytes, start: int) -> int:
    if raw[start : start + 1] not in (b"{", b"["):
        scalar = _SCALAR.match(raw, start)
        assert scalar is not None
        return scalar.end()
    depth = 0
    for bracket in _BRACKET.finditer(raw, start):
        if bracket[0] in (b"{", b"["):
            depth += 1
        elif bracket[0] in (b"}", b"]"):
            depth -= 1
            if depth == 0:
                return bracket.end()
    raise ValueError("the object is not closed")
