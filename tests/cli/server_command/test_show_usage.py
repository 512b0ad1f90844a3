"""`claude-code-proxy usage`: what a user sees of the past days."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.cli.server_command import show_usage
from claude_code_proxy.cli.server_command.main import run
from claude_code_proxy.server.records.usage_store import UsageStore
from tests.server.records.test_metrics import record

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "usage.sqlite3"
    store = UsageStore(path)
    for days, model in ((0, "kimi-k3"), (0, "glm-5.1"), (40, "glm-5.1")):
        store.add(record(ended=time.time() - days * DAY, model=model))
    store.close()
    return str(path)


def test_a_table_with_bars(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["usage", "--by", "model", "--usage-file", file]) == 0
    head, glm, kimi = capsys.readouterr().out.splitlines()
    assert head.split() == ["model", "requests", "input", "cached", "output"]
    assert glm.split() == ["glm-5.1", "2", "34", "200", "10", "█" * 30]
    assert kimi.split() == ["kimi-k3", "1", "17", "100", "5", "█" * 15]


@pytest.mark.parametrize(("columns", "longest"), [(1000, 30), (80, 30), (60, 18), (48, 6), (46, 0), (40, 0)])
def test_bars_end_where_the_terminal_does(
    file: str, columns: int, longest: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(show_usage, "_columns", lambda: columns)
    assert run(["usage", "--by", "model", "--usage-file", file]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(line.count("█") for line in lines) == longest
    assert all(len(line) <= max(columns, 40) for line in lines)


def test_since_and_json(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    for since, requests in (("7d", 2), ("2020-01-01", 3), ("9000d", 3)):
        assert run(["usage", "--since", since, "--json", "--usage-file", file]) == 0
        rows = json.loads(capsys.readouterr().out)
        assert sum(row["requests"] for row in rows) == requests
    assert rows[0]["total"] == 122
    assert run(["usage", "--since", "2999-01-01", "--usage-file", file]) == 0
    assert "no usage" in capsys.readouterr().out
    assert run(["usage", "--by", "class", "--usage-file", file]) == 0
    assert "(none)" in capsys.readouterr().out


@pytest.mark.parametrize("since", ["soon", "2026-13-01", "d"])
def test_a_day_that_is_none(file: str, since: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["usage", "--since", since, "--usage-file", file]) == 78
    assert "2026-01-31 or 7d" in capsys.readouterr().err


def test_nothing_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["usage", "--usage-file", str(tmp_path / "none")]) == 78
    assert "no usage was recorded yet" in capsys.readouterr().err
    assert run(["usage", "--usage-file", "no"]) == 78
    assert "nothing is kept" in capsys.readouterr().err
