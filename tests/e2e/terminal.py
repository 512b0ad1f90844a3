"""The interactive Claude Code on a pseudo-terminal: what is typed, and what its screen says."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from typing import TYPE_CHECKING

from tests.e2e.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_ROWS, _COLUMNS = 45, 120
_LIMIT = 40.0


class Terminal:
    """Runs `command` on a terminal of its own."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._primary, secondary = pty.openpty()
        fcntl.ioctl(secondary, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *command],
            cwd=folder,
            stdin=secondary,
            stdout=secondary,
            stderr=secondary,
        )
        os.close(secondary)
        self.screen = Screen(_ROWS, _COLUMNS)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def type(self, text: str) -> None:
        os.write(self._primary, text.encode())

    def submit(self, text: str) -> None:
        """Type a line and press Enter, as a person does: one after the other."""
        self.type(text)
        self.settle(0.3)
        self.type("\r")

    def wait_for(self, text: str, within: float = _LIMIT) -> None:
        """Wait until `text` stands on the screen."""
        deadline = time.monotonic() + within
        while text not in self.screen.text:
            assert time.monotonic() < deadline, f"{text!r} is not on the screen:\n{self.screen.text}"
            self._read(0.1)

    def settle(self, quiet: float = 0.7) -> None:
        """Wait until nothing has been written for a moment, or only a spinner for some seconds."""
        deadline = time.monotonic() + 5
        while self._read(quiet) and time.monotonic() < deadline:
            pass

    def end(self) -> int:
        """Wait for the program to end; its exit code."""
        deadline = time.monotonic() + _LIMIT
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it does not end:\n{self.screen.text}"
            self._read(0.1)
        return self.process.returncode

    def close(self) -> None:
        """Give the terminal up, and with it whatever still runs there."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._primary)

    def _read(self, within: float) -> bool:
        if not select.select([self._primary], [], [], within)[0]:
            return False
        try:
            data = os.read(self._primary, 65536)
        except OSError:  # how Linux says that the other side is closed
            time.sleep(0.05)
            return False
        self.screen.feed(self._decoder.decode(data))
        return bool(data)
