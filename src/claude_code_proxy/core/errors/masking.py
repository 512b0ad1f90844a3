"""Texts of others without the caller's key, or any part of it that would help to guess the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MIN_PIECE = 8
"""Characters from which a piece of a key is hidden; shorter keys are placeholders like "none"."""
_STEP = MIN_PIECE // 2
_MASK = "[key]"


def without_key(text: str, key: str) -> str:
    """`text` with every piece of `key` of 8 and more characters as `[key]`, in time linear in its length."""
    kept: list[str] = []
    done = 0  # up to here the text is dealt with
    for start, end in key_spans(text, key):
        kept += [text[done:start], _MASK]
        done = end
    return "".join([*kept, text[done:]]) if kept else text


def key_spans(text: str, key: str) -> Iterator[tuple[int, int]]:
    """Where pieces of `key` of 8 and more characters are in `text`: start and end of each run of them."""
    if len(key) < MIN_PIECE or len(text) < MIN_PIECE:
        return
    # Every piece that is long enough has one of these as a whole: most texts have none.
    if not any(key[start : start + _STEP] in text for start in range(0, len(key) - _STEP + 1, _STEP)):
        return
    pieces = {key[start : start + MIN_PIECE] for start in range(len(key) - MIN_PIECE + 1)}
    first = end = 0  # of the run of pieces that was found last
    for start in range(len(text) - MIN_PIECE + 1):
        if text[start : start + MIN_PIECE] in pieces:
            if start > end or not end:
                if end:
                    yield first, end
                first = start
            end = start + MIN_PIECE
    if end:
        yield first, end
