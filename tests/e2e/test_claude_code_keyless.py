"""Planted keys of a session of several providers, which the model's own shell looks for wherever it can."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

import pytest

from tests.e2e import npm, versions
from tests.e2e.upstream_checks import check_request
from tests.e2e.world import MODEL, Received, world

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real_client

PLACES = {
    "env": "env",
    "environ": "cat /proc/[0-9]*/environ",
    "cmdline": "cat /proc/[0-9]*/cmdline",
    "home": 'find "$HOME" -type f ! -name cc-proxy.json -exec cat {} +',
    "tmp": "find /tmp -path '/tmp/pytest-of-*' -prune -o -type f -newer ../stamp -size -2048k -exec cat {} +",
    "ccproxy env": "ccproxy env",
    "ccproxy env --show-key": "ccproxy env --show-key",
    "ccproxy --dry-run": "ccproxy --dry-run",
    "ccproxy config show": "ccproxy config show",
    "ccproxy logs": "ccproxy logs",
}
"""What the shell reads, by name. A key that is written into cc-proxy.json is there, of course."""
CONTROLLED = ("env", "environ", "cmdline", "home", "tmp")
"""Where a harmless mark is planted too, which must be found."""


def search_script(mark: str, control: str) -> str:
    """Prints `MARK|CONTROL PLACE` for what is found; its own text has neither in one piece."""
    lines = ['sh -c "sleep 20" "$CONTROL" &', 'echo "$CONTROL" > "$HOME/note"']
    lines.append('echo "$CONTROL" > "/tmp/note-$CONTROL"')
    for name, command in PLACES.items():
        for what, text in (("MARK", mark), ("CONTROL", control)):
            pattern = f"{text[:4]}[{text[4]}]{text[5:]}"
            lines.append(f"{command} 2>&1 | grep -aq '{pattern}' && echo '{what} {name}'")
    return "\n".join([*lines, 'rm "/tmp/note-$CONTROL"', "kill %1", "echo searched"]) + "\n"


def providers(keys: dict[str, str], folder: Path) -> dict[str, object]:
    """One provider by three addresses, each with a key of its own from a source of its own."""
    entry = {"model": MODEL, "format": "openai", "context": "200k"}
    main = {"base_url": "http://127.0.0.1:9000/v1", "auth_key": "env:MAIN_KEY", "default": True}
    others = {"small_model": f"small/{MODEL}", "fallback": [f"spare/{MODEL}"]}
    return {
        "main": entry | main | others,
        "small": entry | {"base_url": "http://localhost:9000/v1", "auth_key": keys["small"]},
        "spare": entry
        | {"base_url": "http://127.0.0.1:9000/v1/", "auth_key": f"cmd:cat {folder / 'spare-key'}"},
        "unused": entry | {"base_url": "http://127.0.0.9:9000/v1", "auth_key": "env:UNUSED_KEY"},
    }


@pytest.mark.parametrize("version", versions.ALL)
def test_the_models_shell_finds_no_key(tmp_path: Path, version: str) -> None:
    mark, control = f"sk-{secrets.token_hex(8)}", f"control{secrets.token_hex(8)}"
    keys = {name: f"{mark}-{name}" for name in ("main", "small", "spare", "unused")}
    with world(tmp_path / "world", npm.claude_code(version)) as made:
        folder = made.folder
        config = made.home / ".config/llm/cc-proxy.json"
        config.write_text(json.dumps(providers(keys, folder)), encoding="utf-8")
        (folder / "stamp").touch()
        (folder / "spare-key").write_text(keys["spare"] + "\n", encoding="utf-8")
        exports = f"export MAIN_KEY={keys['main']} UNUSED_KEY={keys['unused']}\n"
        (folder / "keys.sh").write_text(exports, encoding="utf-8")
        (made.work / "search.sh").write_text(search_script(mark, control), encoding="utf-8")
        made.env["CONTROL"] = control
        made.launcher = ("sh", "-c", '. ../keys.sh; exec ccproxy "$@"', "sh")  # no other process had them
        run = made.ask("run: sh search.sh")
        found = run.output.splitlines()
        assert "searched" in found, run
        assert [line for line in found if line.startswith("MARK ")] == []
        assert [f"CONTROL {name}" for name in CONTROLLED if f"CONTROL {name}" not in found] == []
        for model in (f"small/{MODEL}", f"spare/{MODEL}"):
            assert made.ask("say hello", "--model", model).output.strip() == "hello"

        seen: set[str] = set()
        for request in made.received:
            seen.add(check_key(request, mark, keys))
        assert seen == {"main", "small", "spare"}
        for path in made.home.rglob("*"):
            if path.is_file() and path != config:
                assert mark.encode() not in path.read_bytes(), path


def check_key(request: Received, mark: str, keys: dict[str, str]) -> str:
    """Whose key came: that of the address that was asked, and none anywhere else in the request."""
    name = request.headers["authorization"].removeprefix(f"Bearer {mark}-")
    assert (name == "small") is (request.headers["host"] == "localhost:9000")
    assert json.dumps(request.headers).count(mark) == 1
    assert mark not in request.text
    if request.body:
        check_request(request, keys[name])
    return name
