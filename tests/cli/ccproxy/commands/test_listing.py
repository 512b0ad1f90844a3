"""`ccproxy env`."""

from __future__ import annotations

import json
import subprocess

import pytest

from claude_code_proxy.cli import output
from tests.cli.desk import LEAST, Desk


@pytest.mark.parametrize("shell", ["sh", "fish", "json"])
def test_env(desk: Desk, shell: str) -> None:
    desk.providers({"a": LEAST | {"model": "it's"}})
    code, out, err = desk.run("env", "--shell", shell, ANTHROPIC_API_KEY="x")
    assert (code, err) == (0, "")
    if shell == "json":
        found = json.loads(out)
        assert found["unset"] == ["ANTHROPIC_API_KEY"]
        assert (found["set"]["ANTHROPIC_MODEL"], found["set"]["ANTHROPIC_AUTH_TOKEN"]) == ("it's", "(hidden)")
        return
    expected = (
        "set -gx ANTHROPIC_MODEL 'it\\'s'" if shell == "fish" else "export ANTHROPIC_MODEL='it'\"'\"'s'"
    )
    assert expected in out.splitlines()
    assert ("set -e ANTHROPIC_API_KEY" if shell == "fish" else "unset ANTHROPIC_API_KEY") in out.splitlines()
    if shell == "sh":
        script = f'{out}\nprintf %s "$ANTHROPIC_MODEL"'
        assert (
            subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout == "it's"
        )
    assert desk.run("env", "--shell", "csh")[0] == output.USAGE
