"""Keys from the environment, a command, the keyring or the file; none is shown, none is left behind."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.cli import output
from claude_code_proxy.config.cc_proxy_json.key_sources import parse_key
from claude_code_proxy.credentials.source import CredentialError
from tests.cli.desk import KEY, LEAST, Desk

if TYPE_CHECKING:
    from pathlib import Path

FAKE_KEYRING = """
class errors:
    class KeyringError(Exception):
        pass
def get_password(service, user):
    if service == "locked":
        raise errors.KeyringError("it is locked")
    return {("llm/deepseek", "me"): "sk-planted-key"}.get((service, user))
"""


@pytest.mark.parametrize(
    ("text", "kind", "shown"),
    [
        ("sk-abc", "plain", "(hidden)"),
        (" sk-abc ", "plain", "(hidden)"),
        ("sk:with:colons", "plain", "(hidden)"),
        ("env:MY_KEY", "env", "env:MY_KEY"),
        ("env: MY_KEY", "env", "env:MY_KEY"),
        ("cmd:op read 'op://a/b c'", "cmd", "cmd:op read 'op://a/b c'"),
        ("cmd:ttl=50m op read x", "cmd", "cmd:ttl=50m op read x"),
        ("file:~/keys/deepseek", "file", "file:~/keys/deepseek"),
        ("keyring:llm/deepseek/me", "keyring", "keyring:llm/deepseek/me"),
    ],
)
def test_sources(text: str, kind: str, shown: str) -> None:
    source = parse_key(text)
    assert (source.kind, source.shown) == (kind, shown)
    assert "sk" not in repr(source)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "env:",
        "env:a-b",
        "cmd:",
        "cmd:ttl=50",
        "cmd:ttl=0s x",
        "file:",
        "file:x",
        "keyring:x",
        "keyring:/x",
        "a b",
        "ключ",
        "a\nb",
    ],
)
def test_bad_sources(text: str) -> None:
    with pytest.raises(CredentialError) as caught:
        parse_key(text)
    assert not text or text not in str(caught.value)


def key_of(desk: Desk, auth_key: str, **env: str) -> Any:
    desk.providers({"deepseek": LEAST | {"auth_key": auth_key}}, mode=0o644)
    return desk.claude("--direct", **env)["env"]["ANTHROPIC_AUTH_TOKEN"]


def test_from_the_environment(desk: Desk) -> None:
    assert key_of(desk, "env:DEEPSEEK_API_KEY", DEEPSEEK_API_KEY=f" {KEY}\n") == KEY


def test_from_a_command(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\nsecond line\n", encoding="utf-8")
    assert (
        key_of(desk, f"cmd:exec 3<'{tmp_path}/key'; read -r key <&3; echo $key", PATH=f"{desk.bin}:/bin")
        == KEY
    )


def test_from_the_keyring(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "keyring.py").write_text(FAKE_KEYRING, encoding="utf-8")
    assert key_of(desk, "keyring:llm/deepseek/me", PYTHONPATH=str(tmp_path)) == KEY


@pytest.mark.parametrize(
    ("auth_key", "says"),
    [
        ("env:DEEPSEK_API_KEY", 'the variable is not set (hint: did you mean "DEEPSEEK_API_KEY"?)'),
        ("env:NOTHING", "the variable is not set (hint: export NOTHING=...)"),
        ("cmd:exit 3", "cmd:exit 3: it failed with exit code 3 (hint: run it by hand)"),
        ("cmd:echo", "it printed nothing"),
        ("cmd:echo a b", "auth_key has white space inside"),
        ("keyring:locked/me", "the keyring says: it is locked"),
        ("keyring:llm/me", "the keyring has no such entry (hint: keyring set llm me)"),
    ],
)
def test_failures_name_the_line_and_the_mend(desk: Desk, tmp_path: Path, auth_key: str, says: str) -> None:
    (tmp_path / "keyring.py").write_text(FAKE_KEYRING, encoding="utf-8")
    desk.providers({"deepseek": LEAST | {"auth_key": auth_key}})
    code, out, err = desk.run(DEEPSEEK_API_KEY=KEY, PYTHONPATH=str(tmp_path))
    assert (code, out) == (output.CONFIG, "")
    assert says in err
    assert f"{desk.config}:1: deepseek: " in err


@pytest.mark.parametrize("command", ["sleep 100", "sleep 100 | cat", "(sleep 100; echo x) & wait"])
def test_a_command_has_a_time_limit(desk: Desk, command: str) -> None:
    desk.providers({"deepseek": LEAST | {"auth_key": f"cmd:{command}"}})
    began = time.monotonic()
    code, _, err = desk.run(PATH=f"{desk.bin}:/bin:/usr/bin", CCPROXY_KEY_TIMEOUT="4")
    assert (code, time.monotonic() - began < 30) == (output.CONFIG, True)
    assert f"waiting for the key: {command} (at most 4 s)" in err
    assert "it did not finish within 4 s" in err
    assert "CCPROXY_KEY_TIMEOUT is no number" in desk.run(CCPROXY_KEY_TIMEOUT="soon")[2]


def test_a_dry_run_needs_no_key(desk: Desk) -> None:
    for auth_key in ("env:NOTHING", "cmd:exit 3", "keyring:a/b"):
        desk.providers({"deepseek": LEAST | {"auth_key": auth_key}})
        code, out, err = desk.run("--dry-run")
        assert (code, err) == (0, "")
        assert "export ANTHROPIC_AUTH_TOKEN=(hidden)" in out
        assert ("# deepseek: NOTHING is not set" in out) == (auth_key == "env:NOTHING")


@pytest.mark.skipif("keyring" in sys.modules, reason="a keyring is installed")
def test_without_the_extra(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "keyring.py").write_text("raise ImportError", encoding="utf-8")
    desk.providers({"deepseek": LEAST | {"auth_key": "keyring:a/b"}})
    assert "pip install 'keyless-claude-proxy[keyring]'" in desk.run(PYTHONPATH=str(tmp_path))[2]


@pytest.mark.parametrize(
    "arguments", [["list"], ["list", "--json"], ["env"], ["env", "--json"], ["--dry-run"]]
)
@pytest.mark.parametrize("auth_key", [KEY, "env:K", f"cmd:echo {'-'.join(KEY.split('-'))}"])
def test_no_command_shows_a_key(desk: Desk, arguments: list[str], auth_key: str) -> None:
    if auth_key.startswith("cmd:"):
        auth_key = "cmd:printf %s-%s-%s sk planted key"
    desk.providers({"deepseek": LEAST | {"auth_key": auth_key}, "other": LEAST | {"auth_key": KEY}})
    code, out, _ = desk.run("-P", "deepseek", *arguments, K=KEY, PATH="/bin:/usr/bin:" + str(desk.bin))
    assert code == 0
    assert KEY not in out


def test_only_the_keys_that_are_needed(desk: Desk) -> None:
    """A password manager must not ask for keys of providers that the session does not use."""
    desk.providers(
        {"a": LEAST, "b": LEAST | {"auth_key": "cmd:exit 1"}, "c": LEAST | {"auth_key": "env:NONE"}}
    )
    assert desk.claude("-P", "a", "--direct")["env"]["ANTHROPIC_AUTH_TOKEN"] == KEY
    assert json.loads(desk.run("list", "--json")[1])["providers"][1]["auth_key"] == "cmd:exit 1"


def test_a_variable_that_the_session_around_has_taken_out(desk: Desk) -> None:
    desk.providers({"a": LEAST | {"auth_key": "env:MINE"}})
    code, out, err = desk.run(CCPROXY_SESSION="a")
    assert (code, out) == (output.CONFIG, "")
    assert "env:MINE: the variable is not set (hint: a session keeps the keys of its file out" in err
