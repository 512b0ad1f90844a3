"""Sizes as people write them: `8192`, `8k`, `16K`, `1.5k`, `1m`."""

from __future__ import annotations

import re
from decimal import Decimal

_FACTORS = {"": 1, "k": 1_000, "m": 1_000_000, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(k|m|kib|mib|gib)?", re.IGNORECASE)


def parse_size(value: object, *, binary: bool = False) -> int:
    """A positive whole number from an int or text; k = 1000, m = 1000000.

    With `binary` (bytes, not tokens) `KiB`, `MiB` and `GiB` count too. Raises `ValueError` with the reason.
    """
    examples = "8192, 64MiB" if binary else "8192, 8k, 1.5k, 1m"
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or (len(match[2] or "") == 3 and not binary):
        raise ValueError(f"must be a size like {examples}")
    size = Decimal(match[1]) * _FACTORS[(match[2] or "").lower()]
    if size <= 0 or size != int(size):
        raise ValueError(f"must be a positive whole number like {examples}")
    return int(size)
