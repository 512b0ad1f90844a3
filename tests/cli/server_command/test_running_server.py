"""What commands say that ask a server which is not there, or is another program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.cli import output
from claude_code_proxy.cli.server_command import main, running_server
from tests.cli.server_command.test_top import answering

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = (["sessions"], ["cache-report", "some-session"], ["models", "--learned"])


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b"<html>", "no claude-code-proxy answers at {}: "),
        (200, b"[]", "another program, or another version (hint: --url"),
        (200, b'{"object": "list"}', "another program, or another version (hint: --url"),
        (401, b'{"error": {"message": "a token is needed"}}', "error: {}: a token is needed"),
        (404, b"nothing", "error: {}: status 404: it is another program"),
    ],
)
def test_another_program(
    capsys: pytest.CaptureFixture[str], command: list[str], status: int, body: bytes, said: str
) -> None:
    with answering(status, body) as url:
        assert main.run([*command, "--url", url]) == output.FAILURE
    assert said.format(url) in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_nobody(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    assert main.run([*command, "--url", "127.0.0.1:1"]) == output.FAILURE
    told = "no claude-code-proxy answers at http://127.0.0.1:1: Connection refused (hint: --url, or start it"
    assert told in capsys.readouterr().err


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["cache-report", str(tmp_path / "x.json")]) == output.FAILURE
    assert f"{tmp_path}/x.json: no such file" in capsys.readouterr().err


@pytest.mark.parametrize("written", ["127.0.0.1:80", "http://127.0.0.1:80/", "http://127.0.0.1:80/ui"])
def test_an_address_as_people_have_it(written: str) -> None:
    assert running_server.base_of(written) == "http://127.0.0.1:80"
