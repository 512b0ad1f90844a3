"""Connections that are open: those in use, and those kept for the next request to the same origin."""

from __future__ import annotations

import asyncio
import re
import time
from asyncio import TimerHandle, get_running_loop
from collections import deque

from .address import Origin
from .client_options import Options
from .connection import Connection
from .dial import Dialer
from .errors import ConnectTimeoutError, NoFilesError

_EARLY = 0.01  # seconds by which a timer may be early
_TIMEOUT = re.compile(r"timeout\s{0,8}=\s{0,8}(\d{1,9})(?!\d)", re.IGNORECASE | re.ASCII)


class Pool:
    """Gives out the connection that was used last, so that those not needed grow old and are closed.

    Whoever wants one has to have a turn first (`take_turn`, else `wait`), and to `leave` at the end.
    """

    def __init__(self, options: Options) -> None:
        self._seconds = options.idle_seconds
        self._most = options.idle_connections
        self._age = options.age_seconds
        self._most_turns = options.connections
        self._dialer = Dialer(options.tls, options.allows)
        self._turns: dict[Origin, int] = {}
        self._waiting: dict[Origin, deque[asyncio.Future[None]]] = {}
        self._open: set[Connection] = set()
        self._idle: dict[Origin, list[Connection]] = {}  # oldest first
        self._sweeper: TimerHandle | None = None

    def take_turn(self, origin: Origin) -> bool:
        """Take a turn at `origin`; False where there is none."""
        taken = self._turns.get(origin, 0)
        if taken == self._most_turns:
            return False
        self._turns[origin] = taken + 1
        return True

    async def wait(self, origin: Origin, seconds: float) -> None:
        """Wait for somebody's turn at `origin`, first come, first served. Raises `ConnectTimeoutError`."""
        turn = get_running_loop().create_future()
        waiting = self._waiting.setdefault(origin, deque())
        waiting.append(turn)
        try:
            async with asyncio.timeout(seconds):
                await turn
        except BaseException as error:
            if turn in waiting:
                waiting.remove(turn)
            elif not turn.cancelled():  # it came when nobody wanted it any more
                self.leave(origin)
            if not isinstance(error, TimeoutError):
                raise
            words = f"all {self._most_turns} connections to it were in use for {seconds:g} s"
            raise ConnectTimeoutError(words) from None

    def leave(self, origin: Origin) -> None:
        """Let the next one have this turn."""
        waiting = self._waiting.get(origin)
        while waiting:
            turn = waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._turns[origin] -= 1

    def take(self, origin: Origin, whose: int = 0) -> Connection | None:
        """A kept connection to `origin`, if there is one that was made for `whose`."""
        idle = self._idle.get(origin, [])
        now = time.monotonic()
        for at in range(len(idle) - 1, -1, -1):
            if idle[at].whose == whose:
                connection = idle.pop(at)
                if connection.is_idle and now < connection.expires:
                    return connection
                connection.close()
        return None

    async def dial(self, origin: Origin, seconds: float, whose: int = 0) -> Connection:
        """A new connection to `origin` within `seconds`, for `whose`. Raises `ConnectError`.

        Where no file descriptor is left for it, it gets that of one that is idle.
        """
        try:
            connection = await self._dialer.dial(origin, seconds, self._lost)
        except NoFilesError:
            idle = next((kept for kept in self._idle.values() if kept), None)
            if idle is None:
                raise
            idle[0].close()
            await asyncio.sleep(0)  # the loop closes the socket in its next turn
            connection = await self._dialer.dial(origin, seconds, self._lost)
        connection.whose = whose
        if connection.is_idle:
            connection.born = time.monotonic()
            self._open.add(connection)
        return connection

    def give(self, connection: Connection) -> None:
        """Take a connection back: keep it if its exchange allows, else close it."""
        now = time.monotonic()
        if not connection.is_reusable or now - connection.born >= self._age:
            connection.close()
            return
        seconds = self._seconds
        if value := connection.headers.get("keep-alive"):
            seconds = min(seconds, _announced(value))
        connection.expires = min(now + seconds, connection.born + self._age)
        connection.rest()
        idle = self._idle.setdefault(connection.origin, [])
        idle.append(connection)
        if len(idle) > self._most:
            idle[0].close()
        if self._sweeper is None:
            self._sweeper = get_running_loop().call_later(self._seconds, self._sweep)

    def forget(self, origin: Origin) -> None:
        """Close the idle connections to `origin`: one of them turned out to be dead."""
        for connection in self._idle.pop(origin, ()):
            connection.close()

    def close(self) -> None:
        """Close every connection, in use or not."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for connection in list(self._open):
            connection.close()
        self._idle.clear()

    def _lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        idle = self._idle.get(connection.origin, [])
        if connection in idle:
            idle.remove(connection)

    def _sweep(self) -> None:
        """Close what was idle for too long."""
        now = time.monotonic() + _EARLY
        for connection in [one for idle in self._idle.values() for one in idle if now >= one.expires]:
            connection.close()
        self._idle = {origin: idle for origin, idle in self._idle.items() if idle}
        self._sweeper = None
        if self._idle:
            following = min(one.expires for idle in self._idle.values() for one in idle)
            self._sweeper = get_running_loop().call_later(following - now, self._sweep)


def _announced(value: str) -> float:
    """For how many seconds the server says that it keeps an idle connection, less one for the way.

    `Keep-Alive: timeout=5` is no standard (RFC 2068 19.7.1 had it), but what Node.js and others send.
    """
    found = _TIMEOUT.search(value)
    return int(found[1]) - 1 if found else float("inf")
