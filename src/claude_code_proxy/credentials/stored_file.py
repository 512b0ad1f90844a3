"""JSON files with tokens: read while another program writes them, written whole, locked between sessions."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .source import CredentialError

_TRIES = 10
_BETWEEN = 0.05  # seconds
_LOCK_WAIT = 60.0  # seconds; longer than a renewal takes


def read_object(path: Path) -> dict[str, Any] | None:
    """The object in the file; None when there is no file.

    Some programs cut their file off and write it anew, so an incomplete one is read again for half a second.
    Raises a transient `CredentialError` when it stays incomplete.
    """
    for left in reversed(range(_TRIES)):
        try:
            value = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError):
            value = None
        except OSError as error:
            raise CredentialError(f"{path}: {error.strerror or error}") from None
        if isinstance(value, dict):
            return value
        if left:
            time.sleep(_BETWEEN)
    raise CredentialError(f"{path} is no complete JSON object", transient=True)


def write_object(path: Path, value: Mapping[str, Any]) -> None:
    """Put `value` in the place of the file, whole or not at all, for this user only.

    Raises `CredentialError`.
    """
    path = Path(os.path.realpath(path))  # where it is a link, what it leads to
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(value, file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise CredentialError(f"{path}: {error.strerror or error}") from None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of the file `path` against other sessions: `PATH.lock` beside it, which stays there.

    The system frees it when its process ends, however it ends. Raises a transient `CredentialError` when
    somebody else holds it too long.
    """
    lock = path.with_name(f"{path.name}.lock")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    except OSError as error:
        raise CredentialError(f"{lock}: {error.strerror or error}") from None
    try:
        _wait_for(descriptor, lock)
        yield
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int, lock: Path) -> None:
    try:
        import fcntl
    except ImportError:
        return  # on Windows, where nothing but one process at a time is promised
    until = time.monotonic() + _LOCK_WAIT
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > until:
                raise CredentialError(f"another program holds {lock}", transient=True) from None
            time.sleep(_BETWEEN)
        else:
            return
