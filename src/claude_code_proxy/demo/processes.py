"""The demo's processes: started, waited for, and stopped whatever happens."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

_START_LIMIT = 30.0
_STOP_LIMIT = 10.0
_LISTENING = re.compile(r"listening on (http://\S+)")
# What the user has set for a proxy, a launcher and a Claude Code of their own is no business of the demo's.
_SETTINGS = frozenset({"PORT", "MAX_RETRIES", "LOG_LEVEL", "CUSTOM_MODELS_FILE"})
_PREFIXES = ("ANTHROPIC_", "CCPROXY_", "CLAUDE", "XDG_")


class ProcessError(Exception):
    """A process did not come up; the text says why."""


def clean_environment() -> dict[str, str]:
    """This process's environment without the user's settings of what the demo starts."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _SETTINGS and not name.startswith(_PREFIXES)
    }
    return {**kept, "PYTHONUNBUFFERED": "1"}


@contextlib.contextmanager
def service(name: str, arguments: Sequence[str], log: Path) -> Iterator[str]:
    """Run `claude-code-proxy ARGUMENTS` in the background and yield the base URL that it says it listens on.

    Its output goes to `log`. Raises `ProcessError` when it ends or says nothing within 30 seconds.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-P", "-m", "claude_code_proxy", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=clean_environment(),
            start_new_session=True,  # Ctrl-C is for the demo, which then stops its processes in order
        )
    try:
        yield _address(name, process, log)
    finally:
        stop(process)


def _address(name: str, process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + _START_LIMIT
    while time.monotonic() < deadline:
        said = log.read_text(errors="replace")
        if match := _LISTENING.search(said):
            return match[1]
        if process.poll() is not None:
            raise ProcessError(f"{name} ended with exit code {process.returncode}:\n{said.strip()}")
        time.sleep(0.02)
    raise ProcessError(f"{name} did not come up within {_START_LIMIT:.0f} s")


def wait_healthy(base_url: str) -> None:
    """Wait until `GET /health` answers 200. Raises `ProcessError` after 30 seconds."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + _START_LIMIT
    while True:
        try:
            with direct.open(f"{base_url}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError) as error:
            if time.monotonic() > deadline:
                raise ProcessError(f"{base_url}/health does not answer: {error}") from error
            time.sleep(0.05)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it started: asked first, killed if it does not go."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, kind)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_LIMIT)
