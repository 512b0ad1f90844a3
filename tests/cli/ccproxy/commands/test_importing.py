"""`ccproxy import`, from the place where the other program keeps its file."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.cli import output
from tests.cli.desk import KEY, Desk

if TYPE_CHECKING:
    from tests.cli.demo_upstream import Upstream


def ccr(desk: Desk, upstream: Upstream, **more: Any) -> None:
    folder = desk.home / ".claude-code-router"
    folder.mkdir(exist_ok=True)
    provider = {
        "name": "mine",
        "api_base_url": f"{upstream.url}/v1/chat/completions",
        "api_key": KEY,
        "models": ["demo"],
    }
    other = provider | {"name": "other", "api_key": "$OTHER"}
    config = {"Providers": [provider, other], "Router": {"default": "other,demo"}, **more}
    (folder / "config.json").write_text(f"// mine\n{json.dumps(config)}", encoding="utf-8")


def test_from_ccr_to_a_session(desk: Desk, upstream: Upstream) -> None:
    ccr(desk, upstream, LOG=True)
    desk.config.unlink()
    code, out, err = desk.run("import", "--dry-run", "ccr")
    assert (code, KEY in out + err, desk.config.exists()) == (0, False, False)
    code, out, err = desk.run("import", OTHER=KEY)
    assert (code, out) == (0, "")
    assert f"took mine, other from {desk.home}/.claude-code-router/config.json to {desk.config}" in err
    assert "not taken: LOG: ccproxy logs" in err
    assert desk.config.stat().st_mode & 0o777 == 0o600
    code, out, _ = desk.run("ask", OTHER=KEY)
    assert (code, '"CCPROXY_SESSION": "other"' in out, "it works" in out) == (0, True, True)
    code, _, err = desk.run("import", "ccr")
    assert (code, f"not taken: mine: {desk.config} has one of this name" in err) == (output.FAILURE, True)


def test_beside_providers_that_are_there(desk: Desk, upstream: Upstream) -> None:
    ccr(desk, upstream)
    assert desk.run("import", "ccr")[0] == 0
    listed = json.loads(desk.run("list", "--json")[1])["providers"]
    assert [(row["name"], row["default"]) for row in listed] == [
        ("deepseek", True),
        ("mine", False),
        ("other", False),
    ]


def test_the_database_of_cc_switch(desk: Desk) -> None:
    folder = desk.home / ".cc-switch"
    folder.mkdir()
    settings = {
        "env": {
            "ANTHROPIC_BASE_URL": "https://api.deepseek.com/anthropic",
            "ANTHROPIC_AUTH_TOKEN": "sk-x",
            "ANTHROPIC_MODEL": "m",
        }
    }
    with sqlite3.connect(folder / "cc-switch.db") as database:
        database.execute("CREATE TABLE providers (id, app_type, name, settings_config, is_current)")
        rows = [
            ("1", "claude", "One", json.dumps(settings), 0),
            ("2", "claude", "Two", json.dumps(settings), 1),
            ("3", "codex", "Three", "{}", 1),
        ]
        database.executemany("INSERT INTO providers VALUES (?, ?, ?, ?, ?)", rows)
    database.close()
    desk.config.unlink()
    assert desk.run("import", "cc-switch")[0] == 0
    listed = json.loads(desk.run("list", "--json")[1])["providers"]
    assert [(row["name"], row["default"]) for row in listed] == [("one", False), ("two", True)]


HALF = 'model_list: [{litellm_params: {model: "\\ud800", api_base: "https://a.example/v1", api_key: k}}]'


def test_a_broken_row_of_cc_switch(desk: Desk) -> None:
    file = desk.home / "cc-switch.db"
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE providers (id, app_type, name, settings_config, is_current)")
        database.execute("INSERT INTO providers VALUES ('1', 'claude', 'One', '{broken', 1)")
    database.close()
    code, _, err = desk.run("import", "cc-switch", str(file))
    assert (code, "cannot be read" in err, "Traceback" in err) == (output.CONFIG, True, False), err


@pytest.mark.parametrize(
    ("arguments", "text", "code", "says"),
    [
        (["nothing"], "", output.USAGE, "import takes ccr, cc-switch, litellm"),
        (["litellm"], "", output.USAGE, "ccproxy import litellm config.yaml"),
        ([], "", output.USAGE, "nothing to import is at ~/.claude-code-router/config.json"),
        (["ccr", "FILE"], "[]", output.CONFIG, "must be a mapping"),
        (["ccr", "FILE"], "{", output.CONFIG, "not valid JSON"),
        (["litellm", "FILE"], "a: [", output.CONFIG, "cannot be read"),
        (["litellm", "FILE"], HALF, output.CONFIG, "cannot be read"),
        (["litellm", "FILE"], "model_list: {a: 1}", output.FAILURE, "has nothing to take"),
        (["cc-switch", "FILE"], '{"providers": [1]}', output.CONFIG, "is not what cc-switch writes"),
        (["ccr", "/no/such"], "", output.CONFIG, "cannot be read"),
    ],
)
def test_what_goes_wrong(desk: Desk, arguments: list[str], text: str, code: int, says: str) -> None:
    file = desk.home / "file"
    file.write_text(text, encoding="utf-8")
    found, _, err = desk.run("import", *(str(file) if one == "FILE" else one for one in arguments))
    assert (found, says in err, "Traceback" in err) == (code, True, False), err
