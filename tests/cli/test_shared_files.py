"""Manual pages and completions: as the commands are now, and usable.

`python -m claude_code_proxy.cli.shared_files share` writes them again.
"""

from __future__ import annotations

import shutil
import subprocess

import pytest

from claude_code_proxy.cli.ccproxy.arguments import COMMANDS
from claude_code_proxy.cli.shared_files import shared_files
from claude_code_proxy.config.settings import SETTINGS
from claude_code_proxy.core.providers import PRESETS
from tests import paths

SHARE = paths.REPOSITORY / "share"
FILES = shared_files()


@pytest.mark.parametrize("place", FILES)
def test_the_files_are_as_the_commands(place: str) -> None:
    """But for white space: Python versions break lines of help differently."""
    assert (SHARE / place).read_text(encoding="utf-8").split() == FILES[place].split()


def test_nothing_else_is_shipped() -> None:
    assert {path.relative_to(SHARE).as_posix() for path in SHARE.rglob("*") if path.is_file()} == set(FILES)


def test_everything_is_named() -> None:
    launcher = FILES["man/man1/ccproxy.1"].replace("\\-", "-")
    server = FILES["man/man1/claude-code-proxy.1"].replace("\\-", "-")
    assert [word for word in COMMANDS if word not in launcher] == []
    assert [setting.flag for setting in SETTINGS if setting.flag not in server] == []
    for place, text in FILES.items():
        assert [name for name in PRESETS if name not in text] == [], place


def test_the_completion_of_the_server(tmp_path: object) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    script = FILES["bash-completion/completions/claude-code-proxy"]
    for words, expected in (
        (["claude-code-proxy", "se"], "serve"),
        (["claude-code-proxy", "serve", "--work"], "--workers"),
        (["claude-code-proxy", "init", "--provider", "deep"], "deepseek"),
    ):
        asked = f'{script}\nCOMP_WORDS=({" ".join(words)}); COMP_CWORD={len(words) - 1}\n_claude_code_proxy; echo "${{COMPREPLY[@]}}"'
        done = subprocess.run([bash, "-c", asked], capture_output=True, text=True, check=True)
        assert done.stdout.split() == [expected]
