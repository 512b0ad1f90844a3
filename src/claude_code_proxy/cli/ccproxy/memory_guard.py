"""Keeping the memory of a process that holds keys from other processes of the same user."""

from __future__ import annotations

import sys

_PR_SET_DUMPABLE = 4  # linux/prctl.h


def refuse_readers() -> None:
    """On Linux, let nobody but root attach to this process, or read its memory, files and environment.

    It lasts until the process executes another program. There is no such switch elsewhere.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def write_no_cores() -> None:
    """Have no core dump written of this process and of what it starts."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
