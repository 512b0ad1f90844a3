"""The JSON of a request, read part by part.

A session repeats its tools, most of a short request, with every message; and a large document read in one
call would keep every other stream waiting, since the interpreter cannot be had meanwhile.
"""

from __future__ import annotations

from typing import Any

from claude_code_proxy.core import wire
from claude_code_proxy.core.declared import ToolList

LARGE = 256 << 10
"""Bytes from which the messages are read one by one."""


class ToolMemory:
    """The `tools` arrays of earlier requests: the same bytes are the same `ToolList`.

    Bounded: when there are too many, all are forgotten, which is simple and rare.
    """

    MAX_BYTES = 2 << 20
    """Of JSON; what was made of it takes about ten times as much."""

    def __init__(self) -> None:
        self._known: dict[bytes, ToolList] = {}
        self._size = 0

    def read(self, raw: bytes) -> Any:
        """The value of `raw`, the JSON of a `tools` field. Raises `WireError`."""
        known = self._known.get(raw)
        if known is not None:
            return known
        value = wire.loads(raw)
        if not isinstance(value, list):
            return value
        tools = ToolList(value)
        if self._size + len(raw) > self.MAX_BYTES:
            self._known, self._size = {}, 0
        if len(raw) <= self.MAX_BYTES:
            self._known[raw] = tools
            self._size += len(raw)
        return tools


def read(data: bytes, memory: ToolMemory) -> Any:
    """The JSON value of a request's body. Raises `wire.WireError` with the place of the fault."""
    fields = wire.fields(data)
    if fields is None or ("tools" not in fields and len(data) < LARGE):
        return wire.loads(data)
    return {key: _field(key, raw, memory) for key, raw in fields.items()}


def _field(key: str, raw: memoryview, memory: ToolMemory) -> Any:
    if key == "tools":
        return memory.read(bytes(raw))
    parts = wire.elements(raw) if key == "messages" and len(raw) >= LARGE else None
    return wire.loads(raw) if parts is None else [wire.loads(part) for part in parts]
