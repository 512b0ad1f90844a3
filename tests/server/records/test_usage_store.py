"""Token counts that survive: one row per day, model, provider, session and class; several writers; old and odd files."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.core.deltas import Usage
from claude_code_proxy.server.records.usage_store import VERSION, UsageStore, read_usage
from tests.server.byte_upstream import running_upstream, say_hello
from tests.server.harness import BODY, ask, log_in_memory, model, running_proxy
from tests.server.records.test_metrics import record, samples

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAY = 86_400.0


def test_sums(tmp_path: Path) -> None:
    path = tmp_path / "new" / "usage.sqlite3"
    store = UsageStore(path)
    for number in range(30):
        store.add(
            record(ended=1_767_268_800.0 + DAY * (number % 3), model=f"m{number % 2}", request_class="main")
        )
    store.add(record(ended=1_767_268_800.0, model="", asked="nobody", usage=None, outcome="error"))
    store.close()
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    rows = {row.name: row for row in read_usage(path, "model")}
    assert set(rows) == {"m0", "m1", "unknown"}
    assert rows["m0"][1:] == (15, 0, 150, 1500, 105, 75, 30, 45_000)
    assert rows["m0"].total == 150 + 1500 + 105 + 75
    assert (rows["unknown"].requests, rows["unknown"].errors) == (1, 1)
    days = [row.name for row in read_usage(path, "day")]
    assert len(days) == 3
    assert [row.name for row in read_usage(path, "day", since=days[1])] == days[1:]
    assert [row.requests for row in read_usage(path, "class")] == [1, 30]
    assert [row.name for row in read_usage(path, "session")] == ["planted-session"]
    with pytest.raises(ValueError, match="must be one of"):
        read_usage(path, "1; DROP TABLE usage")


def test_several_writers_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite3"
    stores = [UsageStore(path) for _ in range(4)]
    for number in range(400):
        stores[number % 4].add(record())
    for store in stores:
        store.close()
    assert sum(row.requests for row in read_usage(path, "day")) == 400


def test_a_file_that_cannot_be_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    newer = tmp_path / "newer.sqlite3"
    with sqlite3.connect(newer) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    text = tmp_path / "text"
    text.write_text("no database, but long enough to be looked at" * 50)
    for path in (newer, text, tmp_path / "text" / "below"):
        store = UsageStore(path)
        store.add(record())
        store.add(record())
        store.close()
        assert caplog.text.count(f"usage is not kept in {path}") == 1
    with pytest.raises(sqlite3.Error):
        read_usage(text, "day")
    with pytest.raises(FileNotFoundError):
        read_usage(tmp_path / "none", "day")


def test_what_a_full_disk_did_not_take_is_written_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "full"
    folder.touch()  # in the way, as a disk without room is
    store = UsageStore(folder / "usage.sqlite3")
    store.add(record())
    eventually(lambda: "usage is not kept" in caplog.text)
    for odd in (record(usage=Usage(10**30, 10**30)), record(session_id="\ud800", model="\ud800")):
        store.add(odd)
    folder.unlink()
    store.add(record())
    store.close()
    assert caplog.text.count("usage is not kept") == 1
    rows = read_usage(folder / "usage.sqlite3", "model")
    assert {row.name: row.requests for row in rows} == {"m": 3, "?": 1}


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_file_of_an_older_version(tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE usage (day TEXT NOT NULL, model TEXT NOT NULL, provider TEXT NOT NULL, "
            "session TEXT NOT NULL, class TEXT NOT NULL, requests INTEGER NOT NULL DEFAULT 0, "
            "input INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (day, model, provider, session, class)) "
            "WITHOUT ROWID"
        )
        connection.execute("INSERT INTO usage VALUES ('2020-01-01', 'm', 'custom', '', '', 7, 70)")
    connection.close()
    store = UsageStore(path)
    store.add(record())
    store.close()
    (row,) = read_usage(path, "model")
    assert (row.requests, row.input, row.output) == (8, 80, 5)
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
    connection.close()


async def test_metrics_the_log_and_the_file_add_up_to_the_same(tmp_path: Path, loggers: None) -> None:
    written = log_in_memory("json")
    path = tmp_path / "usage.sqlite3"
    async with (
        running_upstream(say_hello) as upstream,
        running_proxy([model(upstream.base)], usage_file=path, metrics=True) as proxy,
    ):
        for number in range(6):
            await ask(proxy, {**BODY, "stream": number % 2 == 0, "model": "m" if number < 5 else "nobody"})
        found = samples((await ask(proxy, None, method="GET", path="/metrics")).body)
    lines = list(map(json.loads, written.getvalue().splitlines()))
    logged = [line["request"] for line in lines if line.get("request", {}).get("asked")]
    used = [one["usage"] for one in logged if one["usage"] is not None]
    rows = read_usage(path, "model")

    def counted(kinds: tuple[str, ...]) -> float:
        named = tuple(f"tokens_total {kind} " for kind in kinds)
        return sum(value for name, value in found.items() if name.startswith(named))

    requests = sum(value for name, value in found.items() if name.startswith("requests_total "))
    assert requests == sum(row.requests for row in rows) == len(logged) == 6
    assert counted(("input",)) == sum(row.input for row in rows) == sum(one["input_tokens"] for one in used)
    output = sum(one["output_tokens"] for one in used)
    assert counted(("output", "thinking")) == sum(row.output for row in rows) == output == 25


async def test_figures_are_those_of_the_statistics(tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite3"
    async with (
        running_upstream(say_hello) as upstream,
        running_proxy([model(upstream.base)], usage_file=path) as proxy,
    ):
        for stream in (True, False):
            await ask(proxy, {**BODY, "stream": stream})
        stats = (await ask(proxy, None, method="GET", path="/v1/stats")).json
    (row,) = read_usage(path, "model")
    assert row.requests == stats["total_requests"] == 2
    assert row.total == stats["total_tokens"]
    assert row.output == stats["total_output_tokens"]


def test_a_killed_writer_leaves_a_good_file(tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite3"
    code = f"""
import os, time
from pathlib import Path
from claude_code_proxy.core.deltas import Usage
from claude_code_proxy.server.records.usage_store import UsageStore
from tests.server.records.test_metrics import record
store = UsageStore(Path({str(path)!r}))
for _ in range(50):
    store.add(record())
time.sleep(1.5)
os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    (row,) = read_usage(path, "model")
    assert row.requests == 50
