"""`ccproxy use|add|edit|init|env`."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.cli import output
from claude_code_proxy.config.cc_proxy_json.edit_text import CannotEditError, with_default, with_provider
from claude_code_proxy.config.jsonc import read_document
from tests.cli.desk import KEY, LEAST, RUN, Desk

if TYPE_CHECKING:
    from pathlib import Path

COMMENTED = """\
// my providers
{
  "a": {"base_url": "http://127.0.0.1:8082", "auth_key": "env:A", "model": "m", /* "default": true */ },
  "b": { // "default": true
    "base_url": "http://127.0.0.1:8082",
    "auth_key": "env:B",
    "model": "m", "format": "anthropic",
    "default": true, // for now
  }, // the end
}
"""


def parsed(tmp_path: Path, text: str) -> Any:
    path = tmp_path / "x.json"
    path.write_text(text, encoding="utf-8")
    return read_document(path).value


def test_the_default_moves_and_comments_stay(tmp_path: Path) -> None:
    text = with_default(COMMENTED, "a")
    value = parsed(tmp_path, text)
    assert (value["a"]["default"], value["b"]["default"]) == (True, False)
    back = with_default(text, "b")
    value = parsed(tmp_path, back)
    assert (value["a"]["default"], value["b"]["default"]) == (False, True)
    for comment in (
        "// my providers",
        '/* "default": true */',
        '// "default": true',
        "// for now",
        "// the end",
    ):
        assert comment in back
    assert with_default(back, "b") == back


def test_a_provider_is_added_and_comments_stay(tmp_path: Path) -> None:
    for text in (COMMENTED, '{"a": {"x": [1, {"y": "}"}]}}', '{"a": {} // c\n}', "{}"):
        added = with_provider(text, "né w", {"model": "x"})
        value = parsed(tmp_path, added)
        assert list(value)[-1] == "né w"
        assert value["né w"] == {"model": "x"}
        assert added.count("//") == text.count("//")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda: with_default(COMMENTED, "c"), 'there is no provider "c" (hint: it has a, b)'),
        (lambda: with_default(json.dumps(LEAST), "c"), "one provider only"),
        (lambda: with_provider(COMMENTED, "a", {}), "already exists"),
        (lambda: with_provider(json.dumps(LEAST), "a", {}), "one provider alone"),
    ],
)
def test_what_cannot_be_edited(change: Any, says: str) -> None:
    with pytest.raises(CannotEditError) as caught:
        change()
    assert says in str(caught.value)


def test_use(desk: Desk) -> None:
    desk.config.write_text(COMMENTED, encoding="utf-8")
    code, out, err = desk.run("use", "a")
    assert (code, out, err) == (0, "", "a is the default now\n")
    assert json.loads(desk.run("list", "--json")[1])["providers"][0]["default"] is True
    code, _, err = desk.run("use", "c")
    assert (code, 'there is no provider "c"' in err) == (output.CONFIG, True)
    assert desk.run("use")[0] == output.USAGE


def test_add(desk: Desk) -> None:
    desk.config.unlink()
    code, _, err = desk.run("add", "deepseek", DEEPSEEK_API_KEY=KEY)
    assert (code, err.startswith(f"added deepseek to {desk.config}")) == (0, True)
    assert desk.config.stat().st_mode & 0o777 == 0o600
    value = json.loads(desk.config.read_text(encoding="utf-8"))["deepseek"]
    assert (value["auth_key"], value["base_url"]) == ("env:DEEPSEEK_API_KEY", "https://api.deepseek.com")
    arguments = ["--url", "http://127.0.0.1:9/v1", "--model=qwen", "--key=cmd:echo x"]
    assert desk.run("add", "mine", *arguments)[0] == 0
    names = [provider["name"] for provider in json.loads(desk.run("list", "--json")[1])["providers"]]
    assert names == ["deepseek", "mine"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["deepsek"], output.USAGE, 'did you mean "deepseek"?'),
        (["mine", "--url", "ftp://x", "--model", "m"], output.USAGE, "must start with https://"),
        (["deepseek", "--key", KEY], output.USAGE, "--key takes env:NAME"),
        (["mine", "--url", "http://x", "--model", "m"], output.USAGE, "give the key's place with --key"),
        (["azure", "--key", "env:K", "--model", "m"], output.USAGE, "give your own address with --url"),
        (["a"], output.USAGE, "is not known"),
        ([], output.USAGE, "add takes the name of one provider"),
        (["a", "--url", "http://x", "--model", "m", "--key", "env:K"], output.CONFIG, "already exists"),
        (["b", "--nope"], output.USAGE, "add takes --key, --url, --model, not --nope"),
    ],
)
def test_add_says_what_is_wrong(desk: Desk, arguments: list[str], code: int, says: str) -> None:
    desk.providers({"a": LEAST})
    before = desk.config.read_bytes()
    found, out, err = desk.run("add", *arguments)
    assert (found, out) == (code, "")
    assert says in err
    assert desk.config.read_bytes() == before


def test_add_asks_without_echo(desk: Desk) -> None:
    """On a terminal the key is typed, and nothing shows it."""
    primary, secondary = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", RUN, "add", "groq"],
        env=desk.env,
        stdin=secondary,
        stdout=secondary,
        stderr=secondary,
        start_new_session=True,
    ) as process:
        os.close(secondary)
        said = b""
        while b"(not shown)" not in said:
            said += os.read(primary, 1000)
        os.write(primary, KEY.encode() + b"\n")
        try:
            while data := os.read(primary, 1000):
                said += data
        except OSError:
            pass  # how Linux tells that the other side is closed
        process.wait(60)
    os.close(primary)
    assert process.returncode == 0, said
    assert KEY.encode() not in said
    assert json.loads(desk.config.read_text(encoding="utf-8"))["groq"]["auth_key"] == KEY
    assert desk.config.stat().st_mode & 0o777 == 0o600


def test_init(desk: Desk) -> None:
    code, _, err = desk.run("init", "deepseek")
    assert (code, "already exists (hint: ccproxy add NAME" in err) == (output.FAILURE, True)
    desk.config.unlink()
    code, _, err = desk.run("init")
    assert (code, "no provider's key is in the environment" in err) == (output.FAILURE, True)
    assert desk.run("init", DEEPSEEK_API_KEY=KEY, GROQ_API_KEY="x" * 20)[0] == 0
    value = json.loads(desk.config.read_text(encoding="utf-8"))
    assert {name: entry["auth_key"] for name, entry in value.items()} == {
        "deepseek": "env:DEEPSEEK_API_KEY",
        "groq": "env:GROQ_API_KEY",
    }
    assert value["deepseek"]["default"] is True
    assert desk.run("init", "--force", "kimi")[0] == 0
    assert list(json.loads(desk.config.read_text(encoding="utf-8"))) == ["kimi"]


def test_edit(desk: Desk) -> None:
    editor = desk.bin / "editor"
    editor.write_text('#!/bin/sh\n[ "$1" = -w ] && echo "{\\"z\\": {}}" > "$2"\n', encoding="utf-8")
    editor.chmod(0o755)
    code, _, err = desk.run("edit", EDITOR=f"{editor} -w")
    assert (code, "z: base_url is missing" in err) == (output.CONFIG, True)
    editor.write_text(f"#!/bin/sh\necho '{json.dumps({'ok': LEAST})}' > $1\n", encoding="utf-8")
    code, _, err = desk.run("edit", VISUAL=str(editor), EDITOR="nothing")
    assert (code, err) == (0, f"{desk.config} is in order: ok\n")
    assert desk.run("edit", VISUAL="/no/such/editor")[0] == output.FAILURE
    assert desk.run("edit", VISUAL="false", PATH="/bin:/usr/bin")[0] == output.FAILURE
    desk.config.unlink()
    assert "hint: ccproxy init" in desk.run("edit")[2]


def test_a_link_stays_a_link(desk: Desk, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.json"
    desk.config.rename(real)
    desk.config.symlink_to(real)
    assert desk.run("add", "groq", GROQ_API_KEY=KEY)[0] == 0
    assert desk.config.is_symlink()
    assert "groq" in json.loads(real.read_text(encoding="utf-8"))


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


def test_the_older_file_is_read(desk: Desk) -> None:
    older = desk.home / ".config" / "ccproxy" / "providers.json"
    older.parent.mkdir()
    desk.config.rename(older)
    assert desk.claude()["env"]["ANTHROPIC_MODEL"] == "deepseek-chat"
    desk.providers({"new": LEAST | {"model": "new"}})
    assert desk.claude()["env"]["ANTHROPIC_MODEL"] == "new"
