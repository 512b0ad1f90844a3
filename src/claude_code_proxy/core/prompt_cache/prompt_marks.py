"""Fingerprints of a prompt's parts, by which it can be seen which of them changed. No text is kept.

Made of the request's bytes, once it has been answered. They are hashes that only this process can make.
"""

from __future__ import annotations

import re
from array import array
from typing import TYPE_CHECKING, Any, NamedTuple

from claude_code_proxy.core import wire
from claude_code_proxy.core.bounded_map import BoundedMap

if TYPE_CHECKING:
    from collections.abc import Mapping

_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_MARK = re.compile(
    rb',\s*"cache_control":\s*(?:\{[^{}]*\}|null)|"cache_control":\s*(?:\{[^{}]*\}|null)\s*,\s*'
)
_BILLING = re.compile(
    rb'\{\s*"type":\s*"text",\s*"text":\s*"x-anthropic-billing-header:[^"\\]*(?:\\.[^"\\]*)*"\s*\},?'
)
_ONE_TEXT = re.compile(
    rb'\{\s*"role":\s*(' + _STRING + rb'),\s*"content":\s*'
    rb'(?:\[\s*\{\s*"type":\s*"text",\s*"text":\s*(' + _STRING + rb")\s*\}\s*\]|(" + _STRING + rb"))\s*\}",
    re.DOTALL,
)
_MOST_LISTS = 256


class PromptMarks(NamedTuple):
    """The fingerprints of the model, the system prompt, the tools, and each message."""

    model: int
    system: int
    tools: int
    messages: array[int]


def marks_of(fields: Mapping[str, memoryview]) -> PromptMarks | None:
    """Those of a request, given as the bytes of its fields; None where it has no list of messages.

    Cache marks are no part of a prompt, and neither is the form of a message that is one text.
    """
    messages = wire.elements(fields["messages"]) if "messages" in fields else None
    if messages is None:
        return None
    system = _MARK.sub(b"", bytes(fields.get("system", b"")))
    return PromptMarks(
        hash(bytes(fields.get("model", b"")) + bytes(fields.get("speed", b""))),
        hash(_BILLING.sub(b"", system)),
        hash(_MARK.sub(b"", bytes(fields.get("tools", b"")))),
        array("q", map(_message, messages)),
    )


def _message(raw: memoryview) -> int:
    data = bytes(raw)
    if b'"cache_control"' in data:
        data = _MARK.sub(b"", data)
    text = _ONE_TEXT.fullmatch(data)
    return hash(data) if text is None else hash(text[1] + (text[2] or text[3]))


class ToolLists:
    """The fingerprints of each tool of the last lists, by the fingerprint of the list."""

    def __init__(self) -> None:
        self._lists: BoundedMap[int, dict[int, int]] = BoundedMap(_MOST_LISTS)

    def add(self, mark: int, raw: memoryview | None) -> None:
        """Remember a list, if it is not known."""
        if raw is not None and mark not in self._lists:
            self._lists[mark] = {hash(name): hash(written) for name, written in _tools(raw)}

    def change(self, before: int, now: int, raw: memoryview | None) -> str:
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


def _tools(raw: memoryview) -> list[tuple[str, bytes]]:
    """The name and the JSON of each tool, without cache marks."""
    found: list[tuple[str, bytes]] = []
    for part in wire.elements(raw) or []:
        data = _MARK.sub(b"", bytes(part))
        tool: Any = wire.loads(data)
        name = tool.get("name") if isinstance(tool, dict) else None
        found.append((name if isinstance(name, str) else "", data))
    return found
