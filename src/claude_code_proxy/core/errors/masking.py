"""Texts of others without the caller's key, or any part of it that would help to guess the rest."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

MIN_PIECE = 8
"""Characters from which a piece of a key is hidden; shorter keys are placeholders like "none"."""
_STEP = MIN_PIECE // 2
_STEPS = tuple(slice(start, start + _STEP) for start in range(0, 4096, _STEP))
_MASK = "[key]"
_LONGEST_ENCODED = 4096


def without_key(text: str, key: str) -> str:
    """`text` with every piece of `key` of 8 and more characters as `[key]`, in time linear in its length.

    Pieces of what a URL or base64 makes of it too.
    """
    for form in dict.fromkeys((key, *_encoded(key))):
        text = _without(text, form)
    return text


def _without(text: str, key: str) -> str:
    kept: list[str] = []
    done = 0  # up to here the text is dealt with
    for start, end in key_spans(text, key):
        kept += [text[done:start], _MASK]
        done = end
    return "".join([*kept, text[done:]]) if kept else text


def without_keys(texts: Sequence[str], keys: Iterable[str], *, encoded: bool = False) -> Sequence[str]:
    """`without_key` for several texts and keys, which most often have nothing in common.

    What a URL or base64 makes of the keys is masked only where `encoded` says so: in others' words.
    """
    if encoded:
        for key in keys:
            texts = [without_key(text, key) for text in texts]
        return texts
    joined = "\0".join(texts)
    for key in keys:
        if len(key) >= MIN_PIECE and any(map(joined.__contains__, _marks(key))):
            texts = [without_key(text, key) for text in texts]
    return texts


def _encoded(key: str) -> list[str]:
    """`key` as a URL and base64 write it: each of the three ways to stand among other bytes there."""
    if not MIN_PIECE <= len(key) <= _LONGEST_ENCODED:
        return []
    raw = key.encode("utf-8", "replace")
    forms = [quote(key, safe=""), quote(key, safe="").lower()]
    for before, mixed in ((0, 0), (1, 2), (2, 3)):  # characters that other bytes have a part in
        form = base64.b64encode(bytes(before) + raw).decode().rstrip("=")[mixed:-1]
        forms += [form, form.replace("+", "-").replace("/", "_")]
    return forms


def key_spans(text: str, key: str) -> list[tuple[int, int]]:
    """Where pieces of `key` of 8 and more characters are in `text`: start and end of each run of them."""
    if len(key) < MIN_PIECE or len(text) < MIN_PIECE:
        return []
    # Every piece that is long enough has one of these as a whole: most texts have none.
    if not any(map(text.__contains__, _marks(key))):
        return []
    spans: list[tuple[int, int]] = []
    first = end = -1  # of the run of pieces that was found last
    for start in _starts(text, key):
        if start > end:
            if end >= 0:
                spans.append((first, end))
            first = start
        end = start + MIN_PIECE
    if end >= 0:
        spans.append((first, end))
    return spans


def _marks(key: str) -> Iterator[str]:
    """Every `_STEP` characters of `key`."""
    if len(key) > _STEPS[-1].stop:
        return (key[start : start + _STEP] for start in range(0, len(key) - _STEP + 1, _STEP))
    return map(key.__getitem__, _STEPS[: len(key) // _STEP])


def _starts(text: str, key: str) -> list[int]:
    """Where pieces of `MIN_PIECE` characters of `key` begin in `text`."""
    pieces = {key[start : start + MIN_PIECE] for start in range(len(key) - MIN_PIECE + 1)}
    return [at for at in range(len(text) - MIN_PIECE + 1) if text[at : at + MIN_PIECE] in pieces]
