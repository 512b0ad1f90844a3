"""Token counts that survive a restart: an SQLite file of sums per day, model, provider, session and class.

Only figures, no content and no key. One thread writes, in batches and off the event loop; several processes
may share the file. A crash loses what the last `_BATCH_SECONDS` brought.
"""

from __future__ import annotations

import operator
import sqlite3
import threading
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from claude_code_proxy.server.log import logger
from claude_code_proxy.server.records.exchange_record import ExchangeRecord

VERSION = 1
"""`PRAGMA user_version` of a file that this program wrote."""
_BATCH_SECONDS = 1.0
_MOST_WAITING = 10_000
_QUARTER = 900  # seconds
_MOST = 1 << 50  # of one number of one request
_WAIT = 5.0  # seconds for another process's write
_KEYS = ("day", "model", "provider", "session", "class")
_SUMS = ("requests", "errors", "input", "cache_read", "cache_creation", "output", "thinking", "milliseconds")
GROUPS = ("day", "model", "provider", "session", "class")

_CREATE = f"""
CREATE TABLE IF NOT EXISTS usage (
  {", ".join(f"{key} TEXT NOT NULL" for key in _KEYS)},
  {", ".join(f"{name} INTEGER NOT NULL DEFAULT 0" for name in _SUMS)},
  PRIMARY KEY ({", ".join(_KEYS)})
) WITHOUT ROWID
"""
_ADD = f"""
INSERT INTO usage ({", ".join((*_KEYS, *_SUMS))}) VALUES ({", ".join("?" * (len(_KEYS) + len(_SUMS)))})
ON CONFLICT DO UPDATE SET {", ".join(f"{name} = {name} + excluded.{name}" for name in _SUMS)}
"""  # noqa: S608 - all of it is from this page


class UsageStore:
    """A sink. What cannot be written waits until it can, with one warning; what is too much is lost."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: deque[ExchangeRecord] = deque()
        self._due = threading.Event()  # something waits: set once a batch, not to wake the thread for each
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="usage", daemon=True)
        self._sums: defaultdict[tuple[str, ...], list[int]] = defaultdict(lambda: [0] * len(_SUMS))
        self._warned = False
        self._thread.start()

    def add(self, record: ExchangeRecord) -> None:
        """Take one record; never waits."""
        if len(self._waiting) >= _MOST_WAITING:
            self._warn("too many wait for its disk: figures are lost")
            return
        self._waiting.append(record)
        if not self._due.is_set():
            self._due.set()

    def close(self) -> None:
        """Write what waits, and end."""
        self._closing.set()
        self._due.set()
        self._thread.join(_WAIT)

    def _run(self) -> None:
        ended = False
        while not ended:
            self._due.wait()
            self._closing.wait(_BATCH_SECONDS)
            self._due.clear()
            ended = self._closing.is_set()  # before the records are taken: none comes after it
            for _ in range(len(self._waiting)):
                keys, figures = _row(self._waiting.popleft())
                if keys in self._sums or len(self._sums) < _MOST_WAITING:
                    self._sums[keys] = list(map(operator.add, self._sums[keys], figures))
            try:
                if self._sums:
                    self._write([(*keys, *figures) for keys, figures in self._sums.items()])
                    self._sums.clear()
            except (OSError, sqlite3.Error) as error:
                self._warn(str(error))

    def _write(self, rows: Sequence[tuple[Any, ...]]) -> None:
        with closing(_open(self._path)) as connection, connection:
            connection.executemany(_ADD, rows)

    def _warn(self, reason: str) -> None:
        if not self._warned:
            self._warned = True
            logger.warning("usage is not kept in %s: %s", self._path, reason)


def _open(path: Path) -> sqlite3.Connection:
    """The file, made or brought up to date where needed. Raises `OSError`, `sqlite3.Error`."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        path.touch(mode=0o600)
    connection = sqlite3.connect(path, timeout=_WAIT)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        connection.close()
        raise sqlite3.DatabaseError(f"a newer version of the program wrote it (version {version})")
    if version < VERSION:
        connection.execute("PRAGMA journal_mode = WAL")
        with connection:
            connection.execute(_CREATE)
            there = {row[1] for row in connection.execute("PRAGMA table_info(usage)")}
            for name in _SUMS:
                if name not in there:  # an older file: what it did not count was 0
                    connection.execute(f"ALTER TABLE usage ADD COLUMN {name} INTEGER NOT NULL DEFAULT 0")
            connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _row(record: ExchangeRecord) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The values of `_KEYS` and of `_SUMS`."""
    usage = record.usage
    tokens = (
        (0, 0, 0, 0, 0)
        if usage is None
        else (
            usage.input_tokens,
            usage.cache_read_input_tokens,
            usage.cache_creation_input_tokens,
            usage.output_tokens,
            usage.thinking_tokens or 0,
        )
    )
    day = _day(int(record.ended // _QUARTER))
    keys = day, record.model or "unknown", record.provider, record.session_id, record.request_class
    figures = (1, int(record.outcome == "error"), *tokens, round(record.seconds * 1000))
    # What others say may be more than the file takes: lone surrogates, numbers beyond 64 bits.
    if "".join(keys).isascii() and max(figures) <= _MOST:
        return keys, figures
    texts = tuple(key.encode("utf-8", "replace").decode() for key in keys)
    return texts, tuple(min(number, _MOST) for number in figures)


@lru_cache(maxsize=16)
def _day(quarter: int) -> str:
    """The local day of a quarter of an hour since 1970: no time zone changes its day within one."""
    return time.strftime("%Y-%m-%d", time.localtime(quarter * _QUARTER))


class UsageRow(NamedTuple):
    """The sums of one group. `input` is without what the cache held; `output` includes `thinking`."""

    name: str
    requests: int
    errors: int
    input: int
    cache_read: int
    cache_creation: int
    output: int
    thinking: int
    milliseconds: int

    @property
    def total(self) -> int:
        """All tokens."""
        return self.input + self.cache_read + self.cache_creation + self.output


def read_usage(path: Path, group: str, since: str = "") -> list[UsageRow]:
    """The sums by `group` (one of `GROUPS`) from the day `since` on (`2026-01-31`), by name.

    Raises `OSError` when there is no such file, `sqlite3.Error` when it is another kind of file.
    """
    if group not in GROUPS:
        raise ValueError(f"by: must be one of {', '.join(GROUPS)}")
    if not path.exists():
        raise FileNotFoundError(f"{path}: no usage was recorded yet")
    sums = ", ".join(f"SUM({name})" for name in _SUMS)
    question = f"SELECT {group}, {sums} FROM usage WHERE day >= ? GROUP BY 1 ORDER BY 1"  # noqa: S608 - checked
    with closing(_open(path)) as connection:
        return [UsageRow(*row) for row in connection.execute(question, (since,))]
