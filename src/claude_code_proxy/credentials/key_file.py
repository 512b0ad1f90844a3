"""A key in a file of its own, as secret managers and agents write it."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from .source import Credential, CredentialError, checked

_MOST = 65_536  # bytes of a file that holds a key


class KeyFile:
    """The first line of the file `path`; read again when the file changes."""

    def __init__(self, path: str, env: Mapping[str, str]) -> None:
        self._path = full_path(path, env)

    def fetch(self, refused: Credential | None = None) -> Credential:  # noqa: ARG002 - there is one file
        """What the file says now. Raises `CredentialError`."""
        refuse_open(self._path)
        try:
            with self._path.open("rb") as file:
                text = file.read(_MOST + 1).decode("utf-8", "replace")
        except OSError as error:
            raise CredentialError(f"{self._path}: {error.strerror or error}") from None
        if len(text) > _MOST:
            raise CredentialError(f"{self._path} is too large for a key")
        lines = text.splitlines()
        if not lines or not lines[0].strip():  # perhaps it is being written
            hint = "its first line must be the key"
            raise CredentialError(f"{self._path} is empty", hint, transient=True)
        return Credential(checked(lines[0].strip()))

    def stamp(self) -> object:
        """What `stat` says of the file; secret managers replace it or write into it."""
        return file_stamp(self._path)


def full_path(text: str, env: Mapping[str, str]) -> Path:
    """The path, with `~` for the home of `env`. Raises `CredentialError` for a relative one."""
    home = env.get("HOME") or str(Path.home())
    path = Path(home, text[2:]) if text.startswith("~/") else Path(text)
    if not path.is_absolute():
        raise CredentialError("auth_key names no file", 'write "file:/PATH" or "file:~/PATH"')
    return path


def file_stamp(path: Path) -> object:
    """Something that differs from before once the file has changed; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def refuse_open(path: Path) -> None:
    """Refuse a file that others on this machine can read. Raises `CredentialError`."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise CredentialError(
            f"{path}: {error.strerror or error}", "write the key into it, mode 600"
        ) from None
    if not stat.S_ISREG(mode):
        raise CredentialError(f"{path} is no file")
    if os.name == "posix" and mode & 0o077:
        raise CredentialError(f"{path}: other users can read it", f"chmod 600 {path}")
