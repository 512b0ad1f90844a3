"""`claude-code-proxy usage`: the tokens of the past days, by day, model, provider, session or class."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import sys
from datetime import date, datetime, timedelta
from pathlib import Path

from claude_code_proxy.cli import output
from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.server.records.usage_store import UsageRow, read_usage

_BAR = 30
_LEAST = 5  # columns of a bar that shows something
_AGO = re.compile(r"(\d{1,4})d")


def show_usage(path: Path, group: str, since: str | None, *, as_json: bool) -> int:
    """Print the sums. Raises `ConfigError` for a day that is none, and for a file that cannot be read."""
    first = _day(since)
    try:
        rows = read_usage(path, group, first)
    except (OSError, sqlite3.Error) as error:
        raise ConfigError(f"usage: {error}") from error
    if as_json:
        print(json.dumps([{**row._asdict(), "total": row.total} for row in rows], indent=1))
    else:
        print("\n".join(_table(rows, group)) if rows else "no usage was recorded in this time")
    return output.OK


def _day(since: str | None) -> str:
    """`2026-01-31`, or `7d` for seven days ago, as a day; "" for the beginning."""
    if since is None:
        return ""
    if ago := _AGO.fullmatch(since):
        return (datetime.now().astimezone().date() - timedelta(days=int(ago[1]))).isoformat()
    try:
        return date.fromisoformat(since).isoformat()
    except ValueError:
        raise ConfigError(f"--since: must be a day such as 2026-01-31 or 7d, not {since!r}") from None


def _table(rows: list[UsageRow], group: str) -> list[str]:
    """The rows in columns as wide as they need, each with a bar where the terminal has room for one."""
    cells = [(group, "requests", "input", "cached", "output")]
    cells += [
        (
            _name(row),
            f"{row.requests:,}",
            f"{row.input + row.cache_creation:,}",
            f"{row.cache_read:,}",
            f"{row.output:,}",
        )
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join((name.ljust(widths[0]), *map(str.rjust, figures, widths[1:]))) for name, *figures in cells
    ]
    room = min(_BAR, _columns() - len(lines[0]) - 2)
    most = max(row.total for row in rows) or 1
    bars = ["█" * round(row.total / most * room) if room >= _LEAST else "" for row in rows]
    return [f"{line}  {bar}".rstrip() for line, bar in zip(lines, ["", *bars], strict=True)]


def _columns() -> int:
    """The width of the terminal; as much as is wanted where the output is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 1000


def _name(row: UsageRow) -> str:
    return row.name or "(none)"
