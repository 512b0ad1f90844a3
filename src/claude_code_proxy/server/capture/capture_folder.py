"""The folder of captures: one file for each exchange, the newest kept, within a number and a size."""

from __future__ import annotations

import os
import re
import stat
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.core import wire
from claude_code_proxy.core.report import Notice
from claude_code_proxy.server.capture.capture import Capture, Room

Warn = Callable[[str], None]

_NAME = re.compile(r"\d{8}T\d{6}\.\d{3}-(req_[0-9a-f]{24})\.json")
_WAIT = 5.0  # seconds for what is still to be written at the end


class CaptureFolder:
    """Keeps the last `count` captures, at most `size` bytes of them, in files for their owner only.

    `redact` puts filler in the place of texts. Several processes may share the folder. Nothing of it waits
    for the disk: one thread writes. Raises `ConfigError` for a folder that others may look into, or that
    cannot be made.
    """

    def __init__(self, path: Path, count: int, size: int, warn: Warn, *, redact: bool = False) -> None:
        open_capture_folder(path)
        self._path = path
        self._count = count
        self._size = size
        self._warn = warn
        self._redact = redact
        self._room = Room(size)
        self._queue: SimpleQueue[tuple[Capture, Mapping[str, Any], Sequence[Notice]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    def begin(
        self,
        clock: Callable[[], float],
        began: float,
        line: tuple[str, str, str],
        headers: Iterable[tuple[str, str]],
        body: bytes,
    ) -> Capture:
        """A new capture; see `Capture`."""
        return Capture(self._room, clock, began, line, headers, body)

    def keep(self, capture: Capture, record: Mapping[str, Any], notices: Sequence[Notice]) -> None:
        """Write a capture that is over. `record` are the facts of its request."""
        self._queue.put((capture, record, notices))

    def close(self) -> None:
        """Write what waits, and end."""
        self._queue.put(None)
        self._thread.join(_WAIT)

    def names(self) -> list[str]:
        """The request ids of the captures, oldest first."""
        return [found[1] for name in _listed(self._path) if (found := _NAME.fullmatch(name))]

    def read(self, request_id: str) -> dict[str, Any] | None:
        """The capture of a request; None where there is none (any more)."""
        for name in _listed(self._path):
            found = _NAME.fullmatch(name)
            if found and found[1] == request_id:
                with suppress(FileNotFoundError):
                    document: dict[str, Any] = wire.loads((self._path / name).read_bytes())
                    return document
        return None

    # --- the thread -----------------------------------------------------------------------------------
    def _run(self) -> None:
        while (due := self._queue.get()) is not None:
            capture, record, notices = due
            try:
                self._write(
                    record["request_id"], wire.dumps(capture.document(record, notices, redact=self._redact))
                )
            except OSError as error:
                self._warn(f"a capture is not kept in {self._path}: {error.strerror or error}")
            finally:
                capture.release()

    def _write(self, request_id: str, data: bytes) -> None:
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")[:-3]
        path = self._path / f"{now}-{request_id}.json"
        part = path.with_suffix(".part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        self._prune()

    def _prune(self) -> None:
        """Take away the oldest files that are too many, or too much."""
        files = []
        for name in _listed(self._path):
            with suppress(FileNotFoundError):  # another process was quicker
                files.append((self._path / name, (self._path / name).stat().st_size))
        kept = 0
        for number, (path, size) in enumerate(reversed(files)):
            kept += size
            if number >= self._count or kept > self._size:
                path.unlink(missing_ok=True)


def _listed(path: Path) -> list[str]:
    """The names of the captures in a folder, oldest first."""
    return sorted(file.name for file in path.iterdir() if _NAME.fullmatch(file.name))


def open_capture_folder(path: Path) -> None:
    """Make the folder where it is missing. Raises `ConfigError` like `CaptureFolder`."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = path.stat().st_mode
    except OSError as error:
        raise ConfigError(f"--capture: {path}: {error.strerror}") from error
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise ConfigError(f"--capture: others may look into {path} (hint: chmod 700 {path})")
