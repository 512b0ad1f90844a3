"""`ccproxy completion` in the shells themselves, which are installed where they are missing."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.cli import output
from tests.cli.desk import LEAST, RUN
from tests.packages import provide

if TYPE_CHECKING:
    from tests.cli.desk import Desk


def shell(name: str) -> str:
    """The shell's path; where it is missing it is installed, which CI must manage."""
    if provide({name: name}) and not os.environ.get("CI"):
        pytest.skip(f"{name} is not installed")
    found = shutil.which(name)
    assert found is not None, f"{name} could not be installed"
    return found


@pytest.fixture
def env(desk: Desk) -> dict[str, str]:
    """The environment of a user with two providers and `ccproxy` on the PATH."""
    desk.providers({"deepseek": LEAST, "groq": LEAST})
    wrapper = desk.bin / "ccproxy"
    wrapper.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{RUN}' \"$@\"\n", encoding="utf-8")
    wrapper.chmod(0o755)
    return desk.env | {"PATH": f"{desk.bin}:/usr/bin:/bin", "TERM": "dumb"}


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_the_script_is_one_of_that_shell(desk: Desk, name: str) -> None:
    code, script, err = desk.run("completion", name)
    assert (code, err) == (0, "")
    subprocess.run([shell(name), "-n"], input=script, text=True, check=True)


def test_other_shells_are_refused(desk: Desk) -> None:
    assert desk.run("completion", "csh")[0] == output.USAGE


def test_bash(desk: Desk, env: dict[str, str]) -> None:
    script = desk.run("completion", "bash")[1]
    script += 'COMP_WORDS=(ccproxy -P d); COMP_CWORD=2; _ccproxy; echo "${COMPREPLY[@]}"\n'
    script += 'COMP_WORDS=(ccproxy do); COMP_CWORD=1; _ccproxy; echo "${COMPREPLY[@]}"\n'
    done = subprocess.run([shell("bash"), "-c", script], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["deepseek", "doctor"]


def test_fish(desk: Desk, env: dict[str, str]) -> None:
    script = desk.run("completion", "fish")[1]
    for line, expected in (
        ("ccproxy u", ["ui", "usage", "use"]),
        ("ccproxy -P d", ["deepseek"]),
        ("ccproxy use g", ["groq"]),
        ("ccproxy completion z", ["zsh"]),
    ):
        asked = f'{script}\ncomplete -C "{line}"\n'
        done = subprocess.run(
            [shell("fish"), "--no-config", "-c", asked], env=env, capture_output=True, text=True, check=True
        )
        assert (done.stdout.split(), done.stderr) == (expected, ""), line


def test_zsh(desk: Desk, env: dict[str, str]) -> None:
    """Zsh completes only for somebody at a terminal."""
    script = desk.home / "_ccproxy"
    script.write_text(desk.run("completion", "zsh")[1], encoding="utf-8")
    binary = shell("zsh")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(binary, ["zsh", "-f", "-i"], env)
    try:
        typed(terminal, f"autoload -Uz compinit; compinit -u -D; source {script}; print re''ady\n", "ready")
        typed(terminal, "ccproxy completion z\t", "ccproxy completion zsh")
        typed(terminal, "\x15ccproxy -P dee\t", "ccproxy -P deepseek")
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(terminal)


def typed(terminal: int, keys: str, expected: str) -> None:
    """Type, and wait until `expected` can be read."""
    os.write(terminal, keys.encode())
    seen, deadline = "", time.monotonic() + 30
    while expected not in seen:
        ready, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"{expected!r} did not appear, only {seen!r}"
        seen += os.read(terminal, 4096).decode(errors="replace")
