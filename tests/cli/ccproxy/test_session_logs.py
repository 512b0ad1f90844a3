"""A log that grows too large goes on in an empty file."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from claude_code_proxy.cli.ccproxy.session_logs import MOST_BYTES, older_part

if TYPE_CHECKING:
    from pathlib import Path

GROW = """
import os, sys
from pathlib import Path
from claude_code_proxy.cli.ccproxy.session_logs import rotate
path = Path(sys.argv[1])
for n in range(3 * 40):
    os.write(2, b"x" * (int(sys.argv[2]) // 40))
    rotate(path)
os.write(1, b"the end")
"""


def test_a_long_log_has_two_bounded_parts(tmp_path: Path) -> None:
    log = tmp_path / "s.log"
    with log.open("ab") as file:
        command = [sys.executable, "-c", GROW, str(log), str(MOST_BYTES)]
        subprocess.run(command, stdout=file, stderr=file, check=True)
    assert log.read_bytes().endswith(b"the end")
    assert log.stat().st_size <= MOST_BYTES
    assert MOST_BYTES <= older_part(log).stat().st_size < 2 * MOST_BYTES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.log", "s.log.1"]
