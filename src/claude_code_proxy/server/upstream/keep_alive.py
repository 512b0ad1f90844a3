"""What a client that waits must hear, and when an exchange has waited long enough."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from claude_code_proxy.server.upstream.limits import Limits

_LONGEST = 2.0  # seconds: a deadline that has come nearer, as when an answer ends, is seen this soon
_SHORTEST = 0.01
_NEVER = 3600.0

Action = Literal[
    "wait", "begin", "progress", "ping", "settle", "client_stalled", "timeout_first_byte", "timeout_idle"
]


class Due(NamedTuple):
    """What to do now, and in how many seconds to look again; the last four actions end the exchange."""

    action: Action
    seconds: float = _NEVER


@dataclass(slots=True)
class KeepAlive:
    """The times of one exchange, on the loop's clock; pure, so that a test needs neither sockets nor time.

    `streams`: the client gets an event stream, and can hear something while it waits. `waiting_since`: since
    when a read from the upstream is all that happens. `answering`: the first byte of the upstream's body was
    read. `quiet_since`: the client heard something; `idle_since`: something that counts as progress.
    """

    limits: Limits
    opened: float
    streams: bool
    waiting_since: float | None = None
    answering: bool = False
    quiet_since: float = 0.0
    idle_since: float = 0.0

    def __post_init__(self) -> None:
        self.quiet_since = self.idle_since = self.opened

    def due(
        self, now: float, *, started: bool, ending: bool, speaking: bool, sending_since: float | None
    ) -> Due:
        """What is due at `now`.

        `started`: the status line is out; `ending`: the upstream has said why it stopped; `speaking`: a
        keep-alive is being written; `sending_since`: since when a write waits for the client.
        """
        if self.waiting_since is None:
            stalled = sending_since is not None and now - sending_since >= self.limits.client_stall
            return Due("client_stalled") if stalled else Due("wait")
        if ending:
            return _until(self.waiting_since + self.limits.settle, now) or Due("settle")
        if self.answering:
            deadline, action = self.waiting_since + self.limits.idle, Due("timeout_idle")
        else:
            deadline, action = self.opened + self.limits.first_byte, Due("timeout_first_byte")
        rest = _until(deadline, now)
        if rest is None:
            return action
        if not self.streams or speaking:
            return rest
        word = self._word(now, started=started)
        return Due(word.action, min(word.seconds, rest.seconds))

    def _word(self, now: float, *, started: bool) -> Due:
        """What the client has to hear, if anything."""
        limits = self.limits
        again = min(limits.ping_interval, limits.progress_interval)
        if not started:
            return _until(self.opened + limits.hold, now) or Due("begin", again)
        progress = _until(self.idle_since + limits.progress_interval, now)
        if progress is None:
            return Due("progress", again)
        ping = _until(self.quiet_since + limits.ping_interval, now)
        if ping is None:
            return Due("ping", again)
        return Due("wait", min(progress.seconds, ping.seconds))


def _until(moment: float, now: float) -> Due | None:
    """Wait until `moment`; None when it has come."""
    return Due("wait", moment - now) if now < moment else None


class Timer:
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
        """Never look again. Timer and exchange hold each other: without this, neither is freed."""
        self._look = _nothing
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _fire(self) -> None:
        delay = self._look(self._loop.time())
        if self._handle is not None:  # else the look has stopped us
            self.start(delay)


def _nothing(_: float) -> float:
    return _LONGEST
