"""A file that people edit while the server runs: when there is a new version of it, and a whole one."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable
from pathlib import Path

from claude_code_proxy.config.problems import ConfigError, Problem

Version = tuple[int, int, int] | None

_CHECK_EVERY = 1.0  # seconds between two looks at a file
_CHECK_AGAIN = 0.1  # seconds, while there is a version that may still be written
SETTLED = 1.0
"""Seconds for which a version must have stayed as it is: whoever writes a file may not be done with it."""


class WatchedFile:
    """Says when the file at `path` has another version than the one at construction or the one taken last."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._clock = clock
        self._taken = self._seen = _version(path)
        self._looked_at = self._seen_since = clock()

    def changed(self) -> bool:
        """Whether there is a new version that has settled; it counts as taken from now on.

        Looks once a second at most. A file that vanished is a version too.
        """
        now = self._clock()
        if now - self._looked_at < (_CHECK_EVERY if self._seen == self._taken else _CHECK_AGAIN):
            return False
        self._looked_at = now
        version = _version(self.path)
        if version != self._seen:
            self._seen, self._seen_since = version, now
        if version == self._taken:
            return False
        written = version is not None and time.time() - version[0] / 1e9 >= SETTLED
        if not written and now - self._seen_since < SETTLED:
            return False
        self._taken = version
        return True

    def check_there(self) -> None:
        """Raises `ConfigError` where there is no file any more."""
        if _version(self.path) is None:
            raise ConfigError.of([Problem(self.path, None, "no such file")])

    def is_whole(self) -> bool:
        """Whether the file is still the version that was taken; else what was read of it may be cut off."""
        if _version(self.path) == self._taken:
            return True
        self._taken = (0, -1, 0)  # no file's: it is new again once it has settled
        return False


def _version(path: Path) -> Version:
    """What tells two versions apart: time of change in ns, size, inode; None when there is no such file.

    Reading anything but a file could take for ever: a pipe, a device.
    """
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino) if stat.S_ISREG(found.st_mode) else None
