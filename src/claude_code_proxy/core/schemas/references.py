"""What the `$ref`s of one schema point at, and the names that they get in `$defs`."""

from __future__ import annotations

import re
from typing import Any

_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class References:
    """The references into the schema `root`, which is not changed."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._names: dict[str, str] = {}
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}

    def target(self, reference: str) -> Any:
        """What a pointer into this schema points at; None for any other reference, or where nothing is."""
        if reference in ("#", ""):
            return self._root
        if not reference.startswith("#/"):
            return None
        found: Any = self._root
        for step in _PERCENT.sub(lambda match: chr(int(match[1], 16)), reference[2:]).split("/"):
            step = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict):
                found = found.get(step)
            elif isinstance(found, list) and step.isdecimal() and len(step) < 9 and int(step) < len(found):
                found = found[int(step)]
            else:
                return None
        return found if isinstance(found, dict | bool) else None

    def name(self, reference: str) -> str:
        """The name in `$defs` for what `reference` points at: its last word, where that is still free."""
        if reference not in self._names:
            word = _UNSAFE.sub("_", reference.rpartition("/")[2]).strip("_#") or "root"
            name = word
            while name in self._taken:
                self._numbers[word] = self._numbers.get(word, 1) + 1
                name = f"{word}_{self._numbers[word]}"
            self._taken.add(name)
            self._names[reference] = name
        return self._names[reference]
