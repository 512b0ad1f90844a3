"""What an answer said, kept to count its tokens where the upstream does not."""

from __future__ import annotations

from claude_code_proxy.core.tokens.text_features import features

_MOST_CHARACTERS = 1 << 16
_PIECE = 128  # characters' worth of memory that a piece takes by itself


class OutputText:
    """The texts of an answer: joined now and then, and counted when they are long, so that it is bounded."""

    __slots__ = ("_counts", "_pieces", "_size")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._size = 0  # of the pieces
        self._counts = 0

    def add(self, text: str) -> None:
        """Take note of the next piece."""
        self._pieces.append(text)
        self._size += len(text) + _PIECE
        if self._size > _MOST_CHARACTERS:
            self._join()

    def _join(self) -> None:
        text = "".join(self._pieces)
        if len(text) > _MOST_CHARACTERS // 2:
            self._counts += features(text)
            text = ""
        self._pieces, self._size = [text], len(text)

    def counts(self) -> int:
        """The packed counts of all of it (`core.tokens.text_features`)."""
        return self._counts + features("".join(self._pieces))
