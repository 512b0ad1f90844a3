"""The one timer of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

_LONGEST = 2.0  # seconds: a deadline that has come nearer, as when an answer ends, is seen this soon
_SHORTEST = 0.01


def _nothing(_: float) -> float:
    return _LONGEST


class Pulse:
    """Calls `look(now)` from time to time until stopped; `look` returns the seconds to its next deadline.

    Lazy: the reader only stores timestamps and never touches the timer, so a stream of ten thousand chunks
    costs no timer at all; a look that comes too early because a deadline has moved simply asks again.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, look: Callable[[float], float]) -> None:
        self._loop = loop
        self._look = look
        self._handle: asyncio.TimerHandle | None = None

    def start(self, delay: float) -> None:
        """Look for the first time in `delay` seconds."""
        self._handle = self._loop.call_later(min(max(delay, _SHORTEST), _LONGEST), self._fire)

    def stop(self) -> None:
        """Never look again, and let go of who looks: as long as the two hold each other, neither is freed."""
        self._look = _nothing
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _fire(self) -> None:
        delay = self._look(self._loop.time())
        if self._handle is not None:  # else the look has stopped us
            self.start(delay)
