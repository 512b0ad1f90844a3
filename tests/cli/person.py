"""Somebody at a terminal with `ccproxy`: reads what is asked, types, and what was said at the end."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.cli.desk import RUN

if TYPE_CHECKING:
    from tests.cli.desk import Desk


def talk(desk: Desk, *arguments: str, types: list[tuple[str, str]], **env: str) -> tuple[int, str]:
    """Run `ccproxy`; wait for each text and type the line that belongs to it. The exit code and the screen."""
    primary, secondary = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", RUN, *arguments],
        env=desk.env | env,
        cwd=desk.project,
        stdin=secondary,
        stdout=secondary,
        stderr=secondary,
        start_new_session=True,
    ) as process:
        os.close(secondary)
        said = b""
        try:
            for waited, typed in types:
                start = len(said)
                while waited.encode() not in said[start:]:
                    said += os.read(primary, 1000)
                os.write(primary, typed.encode() + b"\n")
            while data := os.read(primary, 1000):
                said += data
        except OSError:
            pass  # how Linux tells that the other side is closed
        process.wait(60)
    os.close(primary)
    return process.returncode, said.decode().replace("\r\n", "\n")
