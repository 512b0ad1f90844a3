"""Words that look like commands never become paid prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.cli import output
from claude_code_proxy.cli.ccproxy import mistaken_words
from claude_code_proxy.cli.ccproxy.arguments import COMMANDS
from claude_code_proxy.cli.ccproxy.mistaken_words import CLAUDES, meant_by
from claude_code_proxy.cli.server_command.main import build_parser, commands_of
from tests.cli.person import talk

if TYPE_CHECKING:
    from tests.cli.desk import Desk


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("sttatus", "ccproxy doctor"),
        ("delete", "ccproxy remove"),
        ("lsit", "ccproxy list"),
        ("docter", "ccproxy doctor"),
        ("modles", "ccproxy models"),
        ("LIST", "ccproxy list"),
        ("serve", "claude-code-proxy serve"),
        ("server", "claude-code-proxy serve"),
        ("sessions", "claude-code-proxy sessions"),
        ("replya", "claude-code-proxy replay"),
        ("docs", "claude-code-proxy docs"),
        ("configuration", "ccproxy config"),
        ("initialize", "ccproxy init"),
        ("start", "ccproxy"),
        ("exit", ""),
        ("continue", ""),
        ("test", ""),
        ("hello", ""),
        ("explain this", ""),
        ("fix", ""),
        ("/init", ""),
        ("review", ""),
        ("", ""),
        *((word, "") for word in CLAUDES),
    ],
)
def test_what_is_meant(word: str, meant: str) -> None:
    assert meant_by(word) == meant


def test_each_command_that_is_named_exists() -> None:
    words = [*mistaken_words._MEANT, *mistaken_words._SERVERS]
    server = commands_of(build_parser())
    for word in words:
        program, command = meant_by(word).split()
        assert command in (COMMANDS if program == "ccproxy" else server)


@pytest.mark.parametrize("word", ["status", "delet", "ls", "confg"])
def test_without_a_terminal_it_is_refused(desk: Desk, word: str) -> None:
    code, out, err = desk.run(word, "groq")
    assert (code, out) == (output.USAGE, "")
    assert f"did you mean: ccproxy {meant_by(word).split()[1]}? As a prompt: ccproxy -- {word}" in err
    assert desk.claude("--", word)["argv"] == [word]


def test_on_a_terminal_it_is_asked_about(desk: Desk) -> None:
    assert talk(desk, "status", types=[("as a prompt? [y/N]", "")])[0] == output.USAGE
    code, said = talk(desk, "status", types=[("as a prompt? [y/N]", "y")])
    assert (code, '"status"], "env"' in said) == (0, True)


@pytest.mark.parametrize(
    "arguments", [["-p", "status"], ["hello"], ["mcp", "list"], ["rm", "1234"], ["--model", "x", "status"]]
)
def test_everything_else_is_claudes(desk: Desk, arguments: list[str]) -> None:
    assert desk.claude(*arguments)["argv"] == arguments


@pytest.mark.parametrize("word", COMMANDS)
def test_no_command_starts_claude(desk: Desk, word: str) -> None:
    desk.env["EDITOR"] = "true"
    desk.env["PATH"] += ":/bin:/usr/bin"
    (desk.bin / "claude").write_text(
        '#!/bin/sh\n[ "$1" = --version ] || echo started; echo 2.1.332\n', encoding="utf-8"
    )
    assert "started" not in desk.run(word)[1]
