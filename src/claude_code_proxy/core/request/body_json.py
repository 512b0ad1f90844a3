"""The JSON of a request, read part by part.

A session repeats its tools, most of a short request, with every message; and a large document read in one
call would keep every other stream waiting, since the interpreter cannot be had meanwhile.
"""

from __future__ import annotations

from typing import Any

from claude_code_proxy.core import wire
from claude_code_proxy.core.request.tool_cache import ToolList

LARGE = 1 << 20
"""Bytes from which the messages are read one by one: a call on fewer takes a few milliseconds at most."""

_KEY = b'"tools":'


class ToolMemory:
    """The `tools` arrays of earlier requests: the same bytes are the same `ToolList`.

    Bounded: when there are too many, all are forgotten, which is simple and rare. `stand_in` is a string that
    no client can know.
    """

    MAX_BYTES = 2 << 20
    """Of JSON; with what was made of it four times as much, twenty where several profiles read it."""

    def __init__(self, stand_in: str) -> None:
        self._stand_in = stand_in
        self._known: dict[bytes, ToolList] = {}
        self._size = 0
        self._behind = 0  # the bytes behind the key, where it was found last

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

    def recall(self, data: bytes) -> dict[str, Any] | None:
        """The JSON object `data` if its tools are known; None where that is not so, or not sure.

        The rest is parsed with the stand-in in place of the array. Where that turns up as the value of
        `tools`, the array stood there, and not the same bytes somewhere else.
        """
        start = max(len(data) - self._behind, 0)
        if not data.endswith(_KEY, 0, start):  # what follows the tools changes less than what precedes them
            start = data.rfind(_KEY) + len(_KEY)
            self._behind = len(data) - start
        # Another thread may forget them all meanwhile: what is found here is kept here.
        known = tuple(self._known.items())
        raw, tools = next((entry for entry in known if data.startswith(entry[0], start)), (b"", None))
        if tools is None:
            return None
        try:
            value = wire.loads(data[:start] + wire.dumps(self._stand_in) + data[start + len(raw) :])
        except wire.WireError:
            return None
        if not isinstance(value, dict) or value.get("tools") != self._stand_in:
            return None
        value["tools"] = tools
        return value


def read(data: bytes, memory: ToolMemory) -> Any:
    """The JSON value of a request's body. Raises `wire.WireError` with the place of the fault."""
    if len(data) < LARGE and (known := memory.recall(data)) is not None:
        return known
    fields = wire.fields(data)
    if fields is None or ("tools" not in fields and len(data) < LARGE):
        return wire.loads(data)
    return {key: _field(key, raw, memory) for key, raw in fields.items()}


def _field(key: str, raw: memoryview, memory: ToolMemory) -> Any:
    if key == "tools":
        return memory.read(bytes(raw))
    parts = wire.elements(raw) if key == "messages" and len(raw) >= LARGE else None
    return wire.loads(raw) if parts is None else [wire.loads(part) for part in parts]
