"""What a model calls a tool, and what the client calls it."""

from __future__ import annotations

from collections.abc import Mapping


class CalledNames:
    """Finds the client's name; `names` maps upstream names to it."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        self._folded: dict[str, str] | None = None

    def client_name(self, name: str) -> str:
        """The client's name of a tool that the model called `name`; a name nobody declared stays."""
        if name in self._names:
            return self._names[name]
        bare = name.removeprefix("functions.")
        if bare in self._names:
            return self._names[bare]
        if self._folded is None:
            self._folded = {upstream.casefold(): client for upstream, client in self._names.items()}
        return self._folded.get(bare.casefold(), name)
