"""Where the private proxies of sessions write their logs: one file each, a bounded number of bounded size."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from claude_code_proxy.config import paths

KEPT = 30
"""Sessions whose logs are kept."""
MOST_BYTES = 2 << 20
"""Of one log; what is older goes into a second file of that size, and then away."""
_END = ".log"
PAGE = re.compile(r"the page of this session: (http://\S+)/ui\n")
"""In the first line of a log: where the session's proxy listens."""


def logs_of(env: Mapping[str, str]) -> list[Path]:
    """The logs of the sessions that are kept, oldest first."""
    try:
        return sorted(path for path in _folder(env).iterdir() if path.name.endswith(_END))
    except OSError:
        return []


def new_log(env: Mapping[str, str]) -> Path | None:
    """The log of a session that starts now, with room made for it; None where nothing can be written."""
    folder = _folder(env)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in logs_of(env)[: -(KEPT - 1)]:
            path.unlink()
            with suppress(FileNotFoundError):
                older_part(path).unlink()
        path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}{_END}"
        path.touch(mode=0o600)
    except OSError:
        return None
    return path


def older_part(path: Path) -> Path:
    """Where the beginning of a long log is."""
    return path.with_name(path.name + ".1")


def rotate(path: Path) -> None:
    """Go on in an empty log where standard output and error are one that has grown too large."""
    try:
        if os.fstat(2).st_size < MOST_BYTES:
            return
        path.replace(older_part(path))
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError:
        return
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def _folder(env: Mapping[str, str]) -> Path:
    return paths.state_home(env) / "claude-code-proxy" / "sessions"
