"""Manual pages and completions, as `make release` puts them into the package."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.cli.ccproxy.arguments import COMMANDS
from claude_code_proxy.cli.shared_files import shared_files, write
from claude_code_proxy.config.settings import SETTINGS
from claude_code_proxy.core.providers import PRESETS

if TYPE_CHECKING:
    from pathlib import Path

FILES = shared_files()


def test_they_are_written_where_packages_look_for_them(tmp_path: Path) -> None:
    write(tmp_path)
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == set(FILES)
    assert "man/man1/ccproxy.1" in found


def test_everything_is_named() -> None:
    launcher = FILES["man/man1/ccproxy.1"].replace("\\-", "-")
    server = FILES["man/man1/claude-code-proxy.1"].replace("\\-", "-")
    assert [word for word in COMMANDS if word not in launcher] == []
    assert [setting.flag for setting in SETTINGS if setting.flag not in server] == []
    for place, text in FILES.items():
        assert [name for name in PRESETS if name not in text] == [], place


def test_the_completion_of_the_server(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    script = FILES["bash-completion/completions/claude-code-proxy"]
    for words, expected in (
        (["claude-code-proxy", "serv"], "serve"),
        (["claude-code-proxy", "serve", "--work"], "--workers"),
        (["claude-code-proxy", "init", "--provider", "deep"], "deepseek"),
    ):
        asked = f'{script}\nCOMP_WORDS=({" ".join(words)}); COMP_CWORD={len(words) - 1}\n_claude_code_proxy; echo "${{COMPREPLY[@]}}"'
        done = subprocess.run([bash, "-c", asked], capture_output=True, text=True, check=True)
        assert done.stdout.split() == [expected]
