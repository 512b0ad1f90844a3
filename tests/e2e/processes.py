"""Processes of a test: started, waited for until they listen, stopped."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_UP_WITHIN = 30.0
T = TypeVar("T")


@contextmanager
def process(
    command: Sequence[str], output: Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` with everything it says in the file `output`, until the context ends."""
    with output.open("wb") as file:
        running = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=env, start_new_session=True
        )
    try:
        yield running
    finally:
        stop(running)


def stop(running: subprocess.Popen[bytes]) -> None:
    """End a process and all it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if running.poll() is None:
            os.killpg(running.pid, number)
            try:
                running.wait(5)
            except subprocess.TimeoutExpired:
                continue
    assert running.returncode is not None


def wait_until(condition: Callable[[], T | None], within: float = _UP_WITHIN, what: str = "it") -> T:
    """The first true value of `condition()`."""
    deadline = time.monotonic() + within
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {within} s"
        time.sleep(0.02)
    return value


def succeeds(command: Sequence[str]) -> bool:
    """Whether `command` ends well."""
    return subprocess.run(command, capture_output=True, timeout=10, check=False).returncode == 0


def proxy_command(*options: str) -> list[str]:
    """The command line of the proxy, with the Python that runs the tests."""
    return [sys.executable, "-m", "claude_code_proxy", "serve", *options]


def listening_url(log: Path) -> str:
    """The URL that a proxy which writes to `log` says it listens on, once it does."""
    found = wait_until(
        lambda: re.search(r"listening on (http://\S+)\n", log.read_text()), what=f"listening ({log})"
    )
    return found[1]
