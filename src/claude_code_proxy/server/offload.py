"""Work on large bodies, kept off the event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import ParamSpec, TypeVar

LARGE = 512 << 10
"""Bytes from which work moves to a thread (measured in docs/operations.md)."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


class TooSlowError(Exception):
    """What was begun on the event loop takes long, and is to be done in a thread instead."""


def on_the_loop() -> bool:
    """Whether the caller runs on an event loop, where nothing may take long."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def offload(size: int, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """The result of `work(*args, **kwargs)` on `size` bytes: at once, or from a thread when it is large.

    `work` that raises `TooSlowError` is done once more, in a thread.
    """
    if size < LARGE:
        with contextlib.suppress(TooSlowError):
            return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)
