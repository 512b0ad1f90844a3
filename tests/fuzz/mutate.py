"""Inputs from inputs: cut, doubled, joined, with bytes and words put in. The same random numbers, the same inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

LONGEST = 20_000
"""Bytes of an input."""


def inputs(seeds: Sequence[bytes], words: Sequence[bytes], pick: random.Random) -> Iterator[bytes]:
    """The seeds, and then without end what becomes of them."""
    yield from seeds
    while True:
        data = pick.choice(seeds)
        for _ in range(pick.choice((1, 1, 2, 4, 8))):
            data = _mutated(data, seeds, words, pick)
        yield data[:LONGEST]


def _mutated(data: bytes, seeds: Sequence[bytes], words: Sequence[bytes], pick: random.Random) -> bytes:
    start, end = sorted((pick.randrange(len(data) + 1), pick.randrange(len(data) + 1)))
    match pick.randrange(6):
        case 0:
            return data[:start] + data[end:]
        case 1:
            return data[:end] + data[start:]
        case 2:
            return data[:start] + bytes((pick.randrange(256),)) + data[start + 1 :]
        case 3:
            return data[:start] + pick.choice(seeds)[start:]
        case 4 if words:
            return data[:start] + pick.choice(words) + data[start:]
        case _:
            return data[:start] + data[start:end].swapcase() + data[end:]
