"""`claude-code-proxy docs`: from a checkout, and from the wheel that is published."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.cli import output
from claude_code_proxy.cli.server_command.main import run
from claude_code_proxy.cli.server_command.show_docs import pages
from claude_code_proxy.config.models_yaml.example import EXAMPLE
from tests import paths
from tests.wheel import build_wheel

if TYPE_CHECKING:
    from pathlib import Path

DOCS = {path.stem for path in (paths.REPOSITORY / "docs").glob("*.md")}


def test_the_list_names_every_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["docs"]) == output.OK
    rows = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert {name for name, _ in rows} == DOCS | {"security", "changelog"}
    assert all(title for _, title in rows)


@pytest.mark.parametrize("name", ["configuration", "docs/configuration.md", "Configuration"])
def test_a_page(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["docs", name]) == output.OK
    text = (paths.REPOSITORY / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out == text


def test_a_page_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["docs", "configurtion"]) == output.USAGE
    assert capsys.readouterr().err == "error: there is no page configurtion (hint: configuration)\n"


def test_what_messages_and_files_point_to() -> None:
    named = set(re.findall(r"claude-code-proxy docs ([a-z-]+)", EXAMPLE))
    for path in (paths.REPOSITORY / "src").rglob("*.py"):
        named |= set(re.findall(r"claude-code-proxy docs ([a-z-]+)", path.read_text(encoding="utf-8")))
    assert "configuration" in named
    assert named <= pages().keys()


def test_the_wheel_has_them(tmp_path: Path) -> None:
    with zipfile.ZipFile(build_wheel(tmp_path)) as wheel:
        wheel.extractall(tmp_path / "installed")
    script = "from claude_code_proxy.cli.server_command.main import run; raise SystemExit(run())"
    for name, source in (("configuration", "docs/configuration.md"), ("security", "SECURITY.md")):
        done = subprocess.run(
            [sys.executable, "-c", script, "docs", name],
            cwd=tmp_path,
            env={"PYTHONPATH": str(tmp_path / "installed"), "PYTHONUTF8": "1"},
            capture_output=True,
            check=True,
        )
        assert done.stdout == (paths.REPOSITORY / source).read_bytes()
    assert {path.stem for path in (tmp_path / "installed/claude_code_proxy/docs").glob("*.md")} == {
        *DOCS,
        "security",
        "changelog",
    }
