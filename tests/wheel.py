"""The package as it is published."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests import paths

if TYPE_CHECKING:
    from pathlib import Path


def build_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout into `folder`, with what is installed: nothing is downloaded."""
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check"]
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        *options,
        "--wheel-dir",
        str(folder),
        str(paths.REPOSITORY),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel
