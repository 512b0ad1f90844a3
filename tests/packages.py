"""Debian packages that tests need, installed by the tests themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def provide(tools: Mapping[str, str]) -> list[str]:
    """Install the packages of those `tools` (command to package) that are missing, as root can.

    Returns the packages that are still missing.
    """
    absent = _absent(tools)
    if absent and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-qq"], check=False, capture_output=True)
        subprocess.run(["apt-get", "install", "-y", "-qq", *absent], check=False, capture_output=True)
        absent = _absent(tools)
    return absent


def _absent(tools: Mapping[str, str]) -> list[str]:
    return sorted({package for tool, package in tools.items() if not shutil.which(tool)})
