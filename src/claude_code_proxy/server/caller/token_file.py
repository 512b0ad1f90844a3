"""Tokens as hashes in a file, one `sha256:HEX NAME` a line; read again when it changes."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from claude_code_proxy.config.problems import ConfigError, Problem
from claude_code_proxy.config.watched_file import WatchedFile
from claude_code_proxy.server.log import logger

_LINE = re.compile(r"sha256:([0-9A-Fa-f]{64})(?:\s+(\S{1,64}))?\s*")


class TokenFile:
    """The tokens of the file at `path`. The constructor reads it and raises `ConfigError`.

    A later edit that breaks it, or a file that vanishes, keeps the last good version and says so once.
    """

    def __init__(self, path: Path) -> None:
        self._file = WatchedFile(path)
        self._hashes = _read(path)

    def __contains__(self, token: str) -> bool:
        if self._file.changed():
            self._reload()
        # The hash, and not the token, is looked up: how long that takes says nothing of the token.
        return hashlib.sha256(token.encode()).digest() in self._hashes

    def _reload(self) -> None:
        try:
            self._file.check_there()
            hashes = _read(self._file.path)
        except ConfigError as error:
            logger.warning("%s\nkeeping the last good version of %s", error, self._file.path)
        else:
            if self._file.is_whole():
                self._hashes = hashes


def _read(path: Path) -> frozenset[bytes]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError.of([Problem(path, None, f"cannot be read: {reason}")]) from None
    hashes: list[bytes] = []
    problems: list[Problem] = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.fullmatch(line.strip())
        if found is None:  # what stands there may be a token: it is not to be shown
            hint = "hash a token with: printf %s TOKEN | sha256sum"
            problems.append(Problem(path, number, "a line must be sha256:HEX, and a name if you like", hint))
        else:
            hashes.append(bytes.fromhex(found[1]))
    if problems:
        raise ConfigError.of(problems)
    return frozenset(hashes)
