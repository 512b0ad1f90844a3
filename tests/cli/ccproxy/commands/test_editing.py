"""`ccproxy use|remove|edit`."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.cli import output
from claude_code_proxy.config.cc_proxy_json.edit_text import (
    CannotEditError,
    with_default,
    with_provider,
    without_provider,
)
from claude_code_proxy.config.jsonc import read_document
from tests.cli.desk import KEY, LEAST, Desk

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


ORDER = """{
  // the cheap one
  "a": {"base_url": "http://127.0.0.1:8082", "auth_key": "env:A", "model": "m"}, // daily
  "b": {
    "model": "m", // a brace: }
    "base_url": "http://127.0.0.1:8082",
    "auth_key": "env:B" // the end
  },
  "c": {"base_url": "http://127.0.0.1:8082", "auth_key": "env:C", "model": "m"}
}
"""


def test_use_keeps_the_order_of_the_file(tmp_path: Path) -> None:
    for name, last in (
        ("a", '"model": "m", "default": true}, // daily'),
        ("b", '"env:B", // the end\n    "default"'),
    ):
        text = with_default(ORDER, name)
        assert last in text
        assert list(parsed(tmp_path, text)[name])[-1] == "default"


def odd_file(chance: random.Random) -> tuple[str, list[str]]:
    """A file as nobody would lay it out, and the names of its providers."""

    def gap() -> str:
        return chance.choice(["", " ", "\n  ", ' // c, {"default": true}\n', " /* x } , */ ", '\n// a "b\n'])

    names = chance.sample(["a", "né", "d e", "x/y", 'q"r'], chance.randint(1, 4))
    default = chance.choice([*names, None])
    text = "{" + gap()
    for name in names:
        keys = [("model", '"m"'), ("base_url", '"http://x//y"'), ("list", '["a", {"default": true}, "]}"]')]
        keys = chance.sample(keys, chance.randint(0, 3)) + [("default", "true")] * (name == default)
        members = ",".join(f'{gap()}"{key}"{gap()}:{gap()}{value}{gap()}' for key, value in keys)
        text += f"{json.dumps(name)}{gap()}:{gap()}{{{members}{gap()}}}{gap()}"
        text += "," + gap() if name != names[-1] or chance.random() < 0.3 else ""
    return text + "}" + gap(), names


@pytest.mark.parametrize("seed", range(150))
def test_any_layout_keeps_its_meaning(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    text, names = odd_file(chance)
    name = chance.choice(names)
    before = parsed(tmp_path, text)
    marked = {
        key: {**entry, "default": key == name} if "default" in entry or key == name else entry
        for key, entry in before.items()
    }
    assert parsed(tmp_path, with_default(text, name)) == marked
    assert parsed(tmp_path, with_provider(text, "zz", {"model": "q"})) == {**before, "zz": {"model": "q"}}
    assert parsed(tmp_path, without_provider(text, name)) == {
        key: before[key] for key in before if key != name
    }


def test_remove(desk: Desk) -> None:
    desk.config.write_text(
        ORDER.replace('"m"}\n}', '"m", "routes": {"title": "b/y"}, "fallback": ["b/x"]}\n}'), encoding="utf-8"
    )
    code, _, err = desk.run("remove", "b")
    assert code == 0
    assert "c still names b/x, b/y" in err
    text = desk.config.read_text(encoding="utf-8")
    assert "// the end" not in text
    assert "// daily" in text
    assert [provider["name"] for provider in json.loads(desk.run("list", "--json")[1])["providers"]] == [
        "a",
        "c",
    ]
    assert desk.run("remove", "c")[0] == 0
    assert "c" not in json.loads(
        desk.config.read_text(encoding="utf-8").replace("// daily", "").replace("// the cheap one", "")
    )
    code, _, err = desk.run("remove", "a")
    assert (code, "a is the only provider (hint: add another one first" in err) == (output.CONFIG, True)
    assert 'did you mean "a"?' in desk.run("remove", "A")[2]


def test_the_default_is_never_lost_by_removing_it(desk: Desk) -> None:
    desk.config.write_text(with_default(ORDER, "b"), encoding="utf-8")
    code, _, err = desk.run("remove", "b")
    assert (code, err.strip().endswith("a is the default now")) == (0, True)
    assert json.loads(desk.run("list", "--json")[1])["providers"][0]["default"] is True


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


def test_the_older_file_is_read(desk: Desk) -> None:
    older = desk.home / ".config" / "ccproxy" / "providers.json"
    older.parent.mkdir()
    desk.config.rename(older)
    assert desk.claude()["env"]["ANTHROPIC_MODEL"] == "deepseek-chat"
    desk.providers({"new": LEAST | {"model": "new"}})
    assert desk.claude()["env"]["ANTHROPIC_MODEL"] == "new"


@pytest.mark.parametrize(
    ("editor", "says"), [("vi 'x", "a quotation mark is not closed"), (" ", "vi: cannot be run")]
)
def test_an_editor_that_is_none(desk: Desk, editor: str, says: str) -> None:
    code, _, err = desk.run("edit", EDITOR=editor)
    assert (code, says in err) == (output.FAILURE, True), err


def test_a_terminal_that_lacks_a_character(desk: Desk) -> None:
    desk.providers({"mine": LEAST | {"model": "modèle"}})
    code, out, err = desk.run("list", PYTHONIOENCODING="ascii")
    assert (code, err, "mod\\xe8le" in out) == (0, "", True), (out, err)
