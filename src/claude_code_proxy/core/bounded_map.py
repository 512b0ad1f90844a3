"""A dictionary that forgets."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class BoundedMap(OrderedDict[Key, Value]):
    """At most `most` entries: setting one more forgets the one that was set or touched longest ago."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __setitem__(self, key: Key, value: Value) -> None:
        """Set an entry, as the newest."""
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > self._most:
            self.popitem(last=False)

    touch = OrderedDict.move_to_end
    """Make an entry that is there the newest."""
