"""A key that a command prints, such as a password manager or a cloud's command line."""

from __future__ import annotations

import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from .source import Credential, CredentialError, Fetcher, checked

LIMIT = "CCPROXY_KEY_TIMEOUT"
"""The variable with the seconds for a command, which may ask the user for a fingerprint or a password."""
_COMMAND_LIMIT = 60.0
_QUIET = 3.0
"""Seconds after which the user sees what is being waited for."""
_MOST = 65_536  # bytes that a command may print
_TTL = re.compile(r"ttl=(\d{1,6})([smh])\s+(\S.*)", re.DOTALL)
_UNITS = {"s": 1, "m": 60, "h": 3600}


class Command(Fetcher):
    """The command `text`, which may begin with `ttl=50m`: for how long what it prints is good."""

    def __init__(self, text: str, env: Mapping[str, str]) -> None:
        self.command, self._ttl = split_ttl(text)
        self._env = env

    def fetch(self, refused: Credential | None = None) -> Credential:  # noqa: ARG002 - it is run in any case
        """The first line that the command prints. Raises `CredentialError`."""
        began = time.time()
        token = checked(_printed(self.command, self._env))
        return Credential(token, began + self._ttl if self._ttl else None)


def split_ttl(text: str) -> tuple[str, float | None]:
    """The command of `text` and the seconds of its `ttl=`, None without one. Raises `CredentialError`."""
    found = _TTL.fullmatch(text)
    if found is None:
        if not text or text.startswith("ttl="):
            raise CredentialError("auth_key has no command", 'write "cmd:ttl=50m COMMAND" or "cmd:COMMAND"')
        return text, None
    seconds = int(found[1]) * _UNITS[found[2]]
    if not seconds:
        raise CredentialError("auth_key has a ttl of 0", "leave it out for a key that does not expire")
    return found[3], seconds


def _printed(command: str, env: Mapping[str, str]) -> str:
    """The first line. The command runs in a shell, since users write pipes and quotes."""
    import subprocess  # only for those who use a command

    limit = _limit(env)
    asks = sys.stdin.isatty()
    process = subprocess.Popen(  # noqa: S602 - the user's own command, from the user's own file
        command,
        shell=True,
        env=dict(env),
        stdin=None,  # it may ask the user
        stdout=subprocess.PIPE,
        bufsize=0,
        stderr=None,
        # A group of its own can be ended as a whole, but could not ask at a terminal.
        process_group=None if asks else 0,
    )
    began = time.monotonic()
    output = _Output(process)
    output.join(min(_QUIET, limit))
    if output.is_alive():
        sys.stderr.write(f"waiting for the key: {command} (at most {limit:g} s)\n")
        output.join(max(0, limit - _QUIET))
    too_much = len(output.data) > _MOST
    if output.is_alive() or too_much or not _ends(process, began + limit - time.monotonic()):
        if asks:
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    output.close()
    if too_much:
        raise CredentialError(f"it printed more than {_MOST} bytes", "run it by hand")
    if process.returncode == -signal.SIGKILL and time.monotonic() - began >= limit:
        raise CredentialError(f"it did not finish within {limit:g} s", f"run it by hand, or set {LIMIT}")
    if process.returncode != 0:
        raise CredentialError(f"it failed with exit code {process.returncode}", "run it by hand")
    lines: Sequence[str] = output.data.decode("utf-8", "replace").splitlines()
    if not lines or not lines[0].strip():
        raise CredentialError("it printed nothing", "it must print the key on its first line")
    return lines[0].strip()


def _ends(process: subprocess.Popen[bytes], seconds: float) -> bool:
    import subprocess

    with suppress(subprocess.TimeoutExpired):
        process.wait(max(0.0, seconds))
    return process.returncode is not None


class _Output(threading.Thread):
    """Collects what a process prints, `_MOST` bytes and the beginning of more. `close` it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        super().__init__(name="key", daemon=True)
        assert process.stdout is not None
        self._file = process.stdout
        self.data = bytearray()
        self.start()

    def run(self) -> None:
        """Read to the end, or until it is too much."""
        with suppress(OSError, ValueError):  # it was closed
            while len(self.data) <= _MOST and (piece := self._file.read(4096)):
                self.data += piece

    def close(self) -> None:
        """Read no more."""
        self._file.close()


def _limit(env: Mapping[str, str]) -> float:
    try:
        limit = float(env.get(LIMIT) or _COMMAND_LIMIT)
    except ValueError:
        limit = math.nan
    if not 0 < limit < math.inf:
        raise CredentialError(f"{LIMIT} is no number of seconds", f"export {LIMIT}=60")
    return limit
