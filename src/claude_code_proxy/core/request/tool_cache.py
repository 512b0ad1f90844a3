"""What was made of the `tools` arrays of earlier requests.

Claude Code sends the same 25 tools, most of a short request, with every message of a session. So an array
whose bytes were seen before is not parsed again, and what was made of it for a profile is made once. Without
a cache, or when it has forgotten, the same things are made anew.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from claude_code_proxy.core import wire
from claude_code_proxy.core.providers.profile import Profile

_KEY = b'"tools":'
_MOST_MADE = 16  # things for one array: which tools go upstream changes as deferred ones are loaded

_Made = TypeVar("_Made")


class _Array:
    """An array, and what was made of it. It and the profiles are kept, so that their ids stay their own."""

    __slots__ = ("made", "raw", "tools")

    def __init__(self, raw: bytes, tools: list[Any]) -> None:
        self.raw = raw
        self.tools = tools
        self.made: dict[tuple[int, Hashable], tuple[Profile, Any]] = {}


class ToolCache:
    """The `tools` arrays of earlier requests: the same bytes give the same list, which nobody may change.

    Threads may share it: what one of them forgets another makes again. Bounded: when there are too many
    arrays, all are forgotten, which is simple and rare. `stand_in` is a string that no client can know,
    `max_depth` the most levels of objects and arrays.
    """

    MAX_BYTES = 2 << 20
    """Of JSON; with what was made of it four times as much, twenty where several profiles read it."""

    def __init__(self, stand_in: str, max_depth: int = 200) -> None:
        self._max_depth = max_depth
        self._stand_in = stand_in
        self._written = wire.dumps(stand_in)
        self._by_bytes: dict[bytes, _Array] = {}
        self._by_id: dict[int, _Array] = {}
        self._size = 0
        self._behind = 0  # the bytes behind the key, where it was found last

    def read(self, raw: bytes) -> Any:
        """The value of `raw`, the JSON of a `tools` field. Raises `WireError`."""
        known = self._by_bytes.get(raw)
        if known is not None:
            return known.tools
        value = wire.loads(raw)
        if wire.is_deeper(value, self._max_depth):
            raise wire.WireError("nested too deeply", 0, 1, 1)
        if isinstance(value, list) and len(raw) <= self.MAX_BYTES:
            if self._size + len(raw) > self.MAX_BYTES:
                self._by_bytes, self._by_id, self._size = {}, {}, 0
            self._by_bytes[raw] = self._by_id[id(value)] = _Array(raw, value)
            self._size += len(raw)
        return value

    def knows(self, tools: object) -> bool:
        """Whether `tools` is a value that `read` gave."""
        return id(tools) in self._by_id

    def recall(self, data: bytes) -> dict[str, Any] | None:
        """The JSON object `data` if its tools are known; None where that is not so, or not sure."""
        array, rest = self._find(data)
        if array is None:
            return None
        try:
            value = wire.loads(rest)
        except wire.WireError:
            return None
        if not isinstance(value, dict) or value.get("tools") != self._stand_in:
            return None
        value["tools"] = array.tools
        return value

    def fields(self, data: bytes) -> dict[str, wire.Raw] | None:
        """`wire.fields` of `data`. Known tools are the same object each time, which keeps its hash."""
        array, rest = self._find(data)
        found = wire.fields(rest)
        if array is not None:
            if found is None or found.get("tools") != self._written:
                return wire.fields(data)
            found["tools"] = array.raw
        return found

    def _find(self, data: bytes) -> tuple[_Array | None, bytes]:
        """An array that is known, and `data` with the stand-in in its place; None and `data` without one.

        Where the stand-in turns up as the value of `tools`, the array stood there, and not the same bytes
        somewhere else.
        """
        start = max(len(data) - self._behind, 0)
        if not data.endswith(_KEY, 0, start):  # what follows the tools changes less than what precedes them
            start = data.rfind(_KEY) + len(_KEY)
            self._behind = len(data) - start
        for raw, array in tuple(self._by_bytes.items()):  # another thread may forget them all meanwhile
            if data.startswith(raw, start):
                return array, data[:start] + self._written + data[start + len(raw) :]
        return None, data

    def once(self, tools: list[Any], profile: Profile, key: Hashable, make: Callable[[], _Made]) -> _Made:
        """What `make` makes of `tools` for `profile`: made once for each `key` while the array is known."""
        array = self._by_id.get(id(tools))
        if array is None:
            return make()
        place = id(profile), key
        found = array.made.get(place)
        if found is None:
            if len(array.made) >= _MOST_MADE:
                array.made.clear()
            found = array.made[place] = profile, make()
        made: _Made = found[1]
        return made
