"""Writing cc-proxy.json: all at once, readable by its owner only."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from claude_code_proxy.config.cc_proxy_json.edit_text import CannotEditError
from claude_code_proxy.config.problems import ConfigError, Problem


def change(path: Path, new: Callable[[str], str]) -> None:
    """Put what `new` makes of the text in its place. Raises `ConfigError`."""
    try:
        write(path, new(path.read_text(encoding="utf-8-sig")))
    except CannotEditError as error:
        raise ConfigError.of([Problem(path, None, error.what, error.hint)]) from None
    except OSError as error:
        raise ConfigError.of([Problem(path, None, f"cannot be read: {error.strerror}")]) from None


def write(path: Path, text: str) -> None:
    """Put `text` in the file's place at once, readable by its owner only. Raises `ConfigError`."""
    target = Path(os.path.realpath(path))  # a link into a dotfiles folder stays one
    scratch = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, scratch = tempfile.mkstemp(prefix=".cc-proxy-", dir=target.parent)  # mode 0600
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(scratch).replace(target)
    except OSError as error:
        if scratch:
            with suppress(FileNotFoundError):
                Path(scratch).unlink()
        raise ConfigError.of([Problem(path, None, f"cannot be written: {error.strerror}")]) from None
