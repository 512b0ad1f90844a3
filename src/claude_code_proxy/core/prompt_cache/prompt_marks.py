"""Fingerprints of a prompt's parts, by which it can be seen which of them changed. No text is kept.

Made of the request's bytes, once it has been answered. They are hashes that only this process can make.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping
from typing import NamedTuple

from claude_code_proxy.core import wire
from claude_code_proxy.core.bounded_map import BoundedMap
from claude_code_proxy.core.wire import value_at

_NAME = b'"cache_control"'
_MARK = re.compile(_NAME + rb":\s*(?:\{[^{}]*\}|null)")
_COMMA_BEHIND = re.compile(rb"\s*,\s*")
_BLANK = b" \t\r\n"
_BILLING = re.compile(
    rb'\[\s*\{\s*"type":\s*"text",\s*"text":\s*"x-anthropic-billing-header:[^"\\]*+(?:\\.[^"\\]*+)*+"\s*'
    rb"(?:,\s*" + _MARK.pattern + rb"\s*)?\},?"
)
_OPENING = re.compile(rb'\{\s*"role":\s*("\w+"),\s*"content":\s*(\[\s*\{\s*"type":\s*"text",\s*"text":\s*)?"')
_CLOSING = b"}] \t\r\n"
_MOST_LISTS = 256


class PromptMarks(NamedTuple):
    """The fingerprints of the model, the system prompt, the tools, and each message."""

    model: int
    system: int
    tools: int
    messages: array[int]


class Fingerprints:
    """Makes them. Parts whose bytes were seen before are not looked through again; only hashes are kept."""

    MAX_PARTS = 16_384
    """When there are more, all are forgotten: simple, and rare (about 2 MB)."""

    def __init__(self) -> None:
        self._known: dict[int, int] = {}

    def of(self, fields: Mapping[str, wire.Raw]) -> PromptMarks | None:
        """Those of a request, given as the bytes of its fields; None where it has no list of messages.

        Cache marks are no part of a prompt, and neither is the form of a message that is one text.
        """
        messages = wire.elements(fields["messages"]) if "messages" in fields else None
        if messages is None:
            return None
        system = bytes(fields.get("system", b""))
        if (billing := _BILLING.match(system)) is not None:  # it is another one in each request
            system = b"[" + system[billing.end() :]
        return PromptMarks(
            hash(bytes(fields.get("model", b"")) + bytes(fields.get("speed", b""))),
            self._of_part(system),
            self._of_part(fields.get("tools", b"")),
            array("q", map(self._of_part, messages)),
        )

    def _of_part(self, raw: wire.Raw) -> int:
        data = bytes(raw)
        key = hash(data)  # nothing to do for an object that was hashed before
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= self.MAX_PARTS:
                self._known = {}
            found = self._known[key] = _fingerprint(data)
        return found


def _fingerprint(data: bytes) -> int:
    data = _unmarked(data)
    opening = _OPENING.match(data)
    if opening is None:
        return hash(data)
    # What closes the message follows from what precedes it.
    return hash(opening[1] + data[opening.end() :].rstrip(_CLOSING))


def _unmarked(data: bytes) -> bytes:
    """JSON without cache marks. Within a string their name has other quotes, so it is no part of one."""
    at = data.find(_NAME)
    if at < 0:
        return data
    parts: list[bytes] = []
    done = 0
    while at >= 0:
        mark = _MARK.match(data, at)
        end = at + len(_NAME)
        if mark is not None:
            begin, end = at, mark.end()
            while data[begin - 1] in _BLANK:
                begin -= 1
            if data[begin - 1 : begin] == b",":
                begin -= 1
            elif comma := _COMMA_BEHIND.match(data, end):
                begin, end = at, comma.end()
            parts.append(data[done:begin])
            done = end
        at = data.find(_NAME, end)
    return b"".join([*parts, data[done:]])


class ToolLists:
    """The fingerprints of each tool of the last lists, by the fingerprint of the list."""

    def __init__(self) -> None:
        self._lists: BoundedMap[int, dict[int, int]] = BoundedMap(_MOST_LISTS)

    def add(self, mark: int, raw: wire.Raw | None) -> None:
        """Remember a list, if it is not known."""
        if raw is not None and mark not in self._lists:
            self._lists[mark] = {hash(name): hash(written) for name, written in _tools(raw)}

    def change(self, before: int, now: int, raw: wire.Raw | None) -> str:
        """What is new in the list `raw`: "+added, ~changed, -2 removed"; names of the new list only."""
        was = self._lists.get(before)
        if was is None:
            return ""
        tools = _tools(raw) if raw is not None else []
        kept = {hash(name): hash(written) for name, written in tools}
        words = [f"+{name}" for name, _ in tools if hash(name) not in was]
        words += [
            f"~{name}" for name, written in tools if was.get(hash(name), hash(written)) != hash(written)
        ]
        if gone := len(was.keys() - kept.keys()):
            words.append(f"-{gone} removed")
        self._lists[now] = kept
        return ", ".join(words) or "another order"


def _tools(raw: wire.Raw) -> list[tuple[str, bytes]]:
    """The name and the JSON of each tool, without cache marks."""
    found: list[tuple[str, bytes]] = []
    for part in wire.elements(raw) or []:
        data = _unmarked(bytes(part))
        name = value_at(wire.loads(data), "name")
        found.append((name if isinstance(name, str) else "", data))
    return found
