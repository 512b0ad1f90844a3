"""Work on large bodies, kept off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

LARGE = 512 << 10
"""Bytes from which work moves to a thread (measured in docs/operations.md)."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def offload(size: int, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """The result of `work(*args, **kwargs)` on `size` bytes: at once, or from a thread when it is large."""
    if size < LARGE:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)
