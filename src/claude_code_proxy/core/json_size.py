"""How many elements a JSON text has, before any of them is made: each takes more memory than its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_ELEMENTS = 500_000
"""What is read of an upstream at once; each takes up to 500 bytes of memory."""
_PIECE = 256 << 10  # bytes that are looked at in one call, which keeps other threads waiting
_OTHERS = bytes(sorted(set(range(256)) - set(b",[{")))


def has_more_elements(data: bytes, limit: int) -> bool:
    """Whether the JSON text `data` has more than `limit` elements, which a `,`, `[` or `{` precedes.

    Costs nothing for a text that is too short for them, and a nanosecond or two per byte for most others.
    """
    if len(data) <= 2 * limit:
        return False
    total = 0
    for start in range(0, len(data), _PIECE):
        total += len(data[start : start + _PIECE].translate(None, _OTHERS))
        if total > limit:  # but most of them may stand in strings
            return _has_more_outside_of_strings(data, limit)
    return False


def _has_more_outside_of_strings(data: bytes, limit: int) -> bool:
    total = 0
    in_string = False
    for piece in _pieces(data):
        parts = piece.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        total += len(b"".join(parts[in_string::2]).translate(None, _OTHERS))
        if total > limit:
            return True
        in_string ^= len(parts) % 2 == 0
    return False


def _pieces(data: bytes) -> Iterator[bytes]:
    """Pieces of `data`, none of which ends within an escape."""
    start = 0
    while start < len(data):
        piece = data[start : start + _PIECE]
        if (len(piece) - len(piece.rstrip(b"\\"))) % 2 and start + len(piece) < len(data):
            piece = data[start : start + _PIECE + 1]
        yield piece
        start += len(piece)
