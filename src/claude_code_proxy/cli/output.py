"""How the two commands talk: results on stdout, everything for a person about the run on stderr."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

# Exit codes; `cli.server_command.main` and `cli.ccproxy.launcher` document the ones they use.
OK = 0
FAILURE = 1
USAGE = 2
CONFIG = 78  # EX_CONFIG of sysexits.h
NOT_EXECUTABLE = 126  # as shells have it
NOT_FOUND = 127  # as shells have it
INTERRUPTED = 130  # as shells have it for SIGINT
CLOSED = 141  # as shells have it for SIGPIPE


def any_text() -> None:
    """Let output that the terminal's encoding lacks come as escapes, where it would end in a traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def broken_pipe() -> int:
    """What a command ends with when nobody reads on (`... | head -1`): nothing more is written, nor said."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return CLOSED


def error(message: object) -> None:
    """Say on stderr what stops the command."""
    for line in str(message).splitlines():
        print(f"error: {line}", file=sys.stderr)


def warning(message: object) -> None:
    """Say on stderr what the user should know though the command goes on."""
    for line in str(message).splitlines():
        print(f"warning: {line.replace(': warning: ', ': ', 1)}", file=sys.stderr)


def note(message: str) -> None:
    """Say on stderr what the command did."""
    print(message, file=sys.stderr)


def document(value: Any) -> None:
    """Print a JSON document for another program."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns; the last column may be of any width."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join(cells).rstrip())
