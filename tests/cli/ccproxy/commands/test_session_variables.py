"""`ccproxy env`."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.cli import output
from tests.cli.desk import KEY, LEAST, Desk

if TYPE_CHECKING:
    from tests.cli.demo_upstream import Upstream


@pytest.mark.parametrize("shell", ["sh", "fish", "json"])
def test_env(desk: Desk, shell: str) -> None:
    desk.providers({"a": LEAST | {"model": "it's"}})
    code, out, err = desk.run("env", "--shell", shell, ANTHROPIC_API_KEY="x")
    assert code == 0
    assert err.startswith(
        "note: the key will be in ANTHROPIC_AUTH_TOKEN, where all that the shell starts can"
    )
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


PRINTED = 'printf %s "$ANTHROPIC_BASE_URL $ANTHROPIC_AUTH_TOKEN"'


def evaluated(desk: Desk, *arguments: str, then: str = "", **env: str) -> tuple[str, str]:
    """What a shell has, and says, after `eval "$(ccproxy env ...)"`."""
    code, out, _ = desk.run("env", *arguments, **env)
    assert code == 0
    script = f"{out}\n{then or PRINTED}"
    done = subprocess.run(
        ["sh", "-c", script], env=env | {"PATH": "/bin:/usr/bin"}, capture_output=True, text=True, check=False
    )
    return done.stdout, done.stderr


@pytest.mark.parametrize(
    ("auth_key", "arguments"),
    [
        ("env:MINE", []),
        ("cmd:printf '%s-%s\\nsecond' sk planted-key", []),
        (KEY, ["--show-key"]),
        ("env:MINE", ["--show-key"]),
    ],
)
def test_eval_logs_in(desk: Desk, auth_key: str, arguments: list[str]) -> None:
    desk.providers({"a": LEAST | {"auth_key": auth_key}})
    desk.env["PATH"] += ":/bin:/usr/bin"
    got, err = evaluated(desk, *arguments, MINE=KEY)
    assert (got, err) == (f"http://127.0.0.1:8082 {KEY}", "")
    assert (KEY in desk.run("env", *arguments, MINE=KEY)[1]) == bool(arguments)


def test_eval_says_what_is_left_out(desk: Desk) -> None:
    desk.providers({"a": LEAST})
    got, err = evaluated(desk)
    assert (got, 'eval "$(ccproxy env --show-key)"' in err) == ("http://127.0.0.1:8082 ", True)


@pytest.mark.parametrize("arguments", [[], ["--show-key"]])
def test_with_a_private_proxy_nothing_half_is_set(
    desk: Desk, upstream: Upstream, arguments: list[str]
) -> None:
    desk.providers({"demo": upstream.entry()})
    then = '[ $? = 0 ]; printf "%s %s" "$?" "$ANTHROPIC_MODEL$ANTHROPIC_BASE_URL"'
    code, out, err = desk.run("env", *arguments)
    assert (code, "Start claude with: ccproxy -P demo" in err) == (output.FAILURE, True)
    done = subprocess.run(["sh", "-c", f"{out}\n{then}"], env={}, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("1 ", "")
    assert "# ANTHROPIC_BASE_URL=http://127.0.0.1:FREE-PORT" in out.splitlines()
    assert json.loads(desk.run("env", "--shell", "json", *arguments)[1])["unset"] == []
