"""What outlives a session's server: the process that keeps its socket and its keys.

While it lives nobody else can bind the port, and requests wait in the socket's queue for the next server. A
server is a copy of this process (`fork`), so it is guarded as this one is from its first instruction on.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from contextlib import suppress

_LOOK_EVERY = 0.25  # seconds between two looks whether the client still lives
_DRAIN = 3.0  # seconds for a server to end by itself
_SETTLED = 5.0  # seconds after which a server has worked
_TRIES = 3  # servers that fail by themselves at once, one after the other
_LONGEST_PAUSE = 1.0  # seconds before another server is started


def hold(client_pid: int) -> bool:
    """Start a server, and another one when it ends, until the parent process, `client_pid`, is gone.

    True in each server's process. False in this one, at the end or after SIGTERM. Raises `SystemExit` with
    the server's exit code when servers cannot even start.
    """
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the client alone
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # only so that it wakes
    signal.set_wakeup_fd(waker)
    failures = 0
    while True:
        began = time.monotonic()
        server = os.fork()
        if server == 0:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            os.close(wake)
            os.close(waker)
            return True
        code = None
        while code is None and not stopped and os.getppid() == client_pid:
            if select.select([wake], [], [], _LOOK_EVERY)[0]:
                os.read(wake, 512)
            code = _exit_code(server)
        if code is None:
            _end(server)
        if stopped or os.getppid() != client_pid:
            return False
        assert code is not None
        failures = failures + 1 if time.monotonic() - began < _SETTLED else 0
        if code > 0 and failures >= _TRIES:
            _say(f"the session's server cannot start (exit code {code})")
            sys.exit(code)
        _say(f"the session's server ended ({_how(code)}); the next one takes its place")
        if failures > 1:
            time.sleep(min(_LONGEST_PAUSE, 0.05 * 2**failures))


def _exit_code(server: int) -> int | None:
    """As `subprocess` has it; None while it runs."""
    pid, status = os.waitpid(server, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if pid else None


def _end(server: int) -> None:
    os.kill(server, signal.SIGTERM)
    until = time.monotonic() + _DRAIN
    while _exit_code(server) is None:
        if time.monotonic() > until:
            os.kill(server, signal.SIGKILL)
        time.sleep(0.01)


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _say(text: str) -> None:
    with suppress(OSError):
        print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} WARNING {text}", file=sys.stderr, flush=True)
