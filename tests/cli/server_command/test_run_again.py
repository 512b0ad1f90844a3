"""`claude-code-proxy replay` and `capture to-case`, as a person starts them."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.cli.server_command.main import run
from tests import paths

if TYPE_CHECKING:
    from pathlib import Path

CASE = paths.CASES / "captured" / "tool_call_redacted.json"


@pytest.fixture
def capture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A capture, as a replay of the case makes it."""
    case = json.loads(CASE.read_text())
    empty = {"answer": {"status": 200, "headers": {}, "chunks": []}, "notices": []}
    for sent in case["upstream"]:
        sent["body"] = None
    file = tmp_path / "capture.json"
    file.write_text(json.dumps({"version": 1, "record": {}, **case, **empty}))
    assert run(["replay", str(file), "--json"]) == 1, "nothing was the answer before"
    file.write_text(json.dumps(json.loads(capsys.readouterr().out)["now"]))
    return file


def test_nothing_differs(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", str(capture)]) == 0
    assert capsys.readouterr().out == "nothing differs\n"


def test_what_differs(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(capture.read_text())
    document["request"]["body"]["max_tokens"] = 200
    capture.write_text(json.dumps(document))
    assert run(["replay", str(capture)]) == 1
    shown = capsys.readouterr().out
    assert '- "max_tokens": 100' in shown
    assert '+ "max_tokens": 200' in shown


def test_a_case_of_it(capture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected: Any = {**json.loads(CASE.read_text()), "why": ""}
    assert run(["capture", "to-case", str(capture)]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["expected"] == expected["expected"]
    assert run(["capture", "to-case", str(capture), str(tmp_path / "case.json")]) == 0
    assert json.loads((tmp_path / "case.json").read_text()) == shown
    assert run(["capture", "to-case", str(capture), str(tmp_path / "no" / "case.json")]) == 78


def test_asking_needs_a_key(
    capture: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert run(["replay", str(capture), "--against", "http://127.0.0.1:1"]) == 78
    assert "ANTHROPIC_AUTH_TOKEN or ANTHROPIC_API_KEY" in capsys.readouterr().err
    monkeypatch.setenv("MY_KEY", "planted-key-4711")
    arguments = ["replay", str(capture), "--against", "http://127.0.0.1:1", "--key-env", "MY_KEY"]
    monkeypatch.setenv("CLAUDE_CODE_PROXY_MAX_RETRIES", "0")
    assert run(arguments) == 1
    shown = capsys.readouterr()
    assert "127.0.0.1:1" in shown.out
    assert "planted-key-4711" not in shown.out + shown.err


def test_a_file_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(CASE, tmp_path / "case.json")
    assert run(["replay", str(tmp_path / "case.json")]) == 78
    assert "is no capture" in capsys.readouterr().err
