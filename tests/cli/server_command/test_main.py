"""`claude-code-proxy`: its commands, exit codes and how little `--help` loads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from claude_code_proxy import __version__
from claude_code_proxy.cli import output
from claude_code_proxy.cli.server_command import main
from claude_code_proxy.config.models_yaml.models_file import load_models
from claude_code_proxy.config.settings import SETTINGS

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = ("aiohttp", "uvicorn", "uvloop", "msgspec", "orjson", "yaml", "asyncio")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("CLAUDE_CODE_PROXY_")]:
        monkeypatch.delenv(name)
    for name in ("XDG_CONFIG_HOME", "PORT", "MAX_RETRIES", "LOG_LEVEL", "CUSTOM_MODELS_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("server_command.main", ["--help"]),
        ("server_command.main", ["serve", "--help"]),
        ("server_command.main", ["--version"]),
        ("server_command.main", []),
        ("ccproxy.launcher", ["--help"]),
    ],
)
def test_help_loads_nothing_heavy(module: str, arguments: list[str]) -> None:
    script = (
        "import sys\n"
        f"from claude_code_proxy.cli.{module} import run\n"
        "try:\n    run(sys.argv[1:])\nexcept SystemExit as end:\n    assert not end.code\n"
        f"sys.exit(','.join(sorted(set({HEAVY!r}) & set(sys.modules))) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main.run(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"claude-code-proxy {__version__}\n"


@pytest.mark.parametrize(
    "arguments", [["srve"], ["serve", "--prot", "1"], ["models", "extra"], ["init", "--port", "1"]]
)
def test_wrong_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main.run(arguments)
    assert ended.value.code == output.USAGE


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("serv", 'error: "serv" is no command; did you mean: claude-code-proxy serve?'),
        ("start", "did you mean: claude-code-proxy serve?"),
        ("session", "did you mean: claude-code-proxy sessions?"),
        ("doctor", "did you mean: ccproxy doctor?"),
        ("status", "did you mean: ccproxy doctor?"),
        ("zzzz", 'error: "zzzz" is no command\n'),
    ],
)
def test_words_that_are_no_commands(word: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main.run([word, "--port", "1"])
    assert ended.value.code == output.USAGE
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["help"], ["help", "serve"], ["version"]])
def test_help_and_version_are_commands_too(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main.run(arguments)
    assert ended.value.code == 0
    assert " ".join(["claude-code-proxy", *arguments[1:]]) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["serve", "--port", "x"], "error: --port: must be a whole number"),
        (["models"], "no such file (hint: write one with: claude-code-proxy init)"),
    ],
)
def test_wrong_configuration(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(arguments) == output.CONFIG
    captured = capsys.readouterr()
    assert says in captured.err
    assert captured.out == ""


def test_init_then_models(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["init"]) == output.OK
    written = home / ".config" / "claude-code-proxy" / "models.yaml"
    assert f"wrote {written}" in capsys.readouterr().err
    assert main.run(["models"]) == output.OK
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split()[:2] == ["MODEL", "UPSTREAM"]
    assert [row.split()[0] for row in rows] == [model.model_id for model in load_models(written).models]


def test_init_keeps_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "m.yaml"
    file.write_text("mine", encoding="utf-8")
    assert main.run(["init", "--models", str(file)]) == output.FAILURE
    assert "already exists (hint: edit it, add to it with --provider" in capsys.readouterr().err
    assert file.read_text(encoding="utf-8") == "mine"
    assert main.run(["init", "--models", str(file), "--force"]) == output.OK
    assert load_models(file).models


def test_init_where_it_cannot_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert main.run(["init", "--models", str(tmp_path / "file" / "m.yaml")]) == output.FAILURE
    assert "cannot be written" in capsys.readouterr().err


def test_models_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(
        "- {model_id: a, api_base: 'https://x.example', context: 64k, price: 1}\n", encoding="utf-8"
    )
    assert main.run(["models", "--json", "--models", str(file)]) == output.OK
    captured = capsys.readouterr()
    assert captured.err.startswith(f"warning: {file}:1: price is ignored")
    (model,) = json.loads(captured.out)["models"]
    assert (model["model_id"], model["context"], model["url"]) == (
        "a",
        64000,
        "https://x.example/v1/chat/completions",
    )


@pytest.mark.parametrize("arguments", [["models"], ["explain", "request.json"]])
def test_nobody_reads_on(arguments: list[str], tmp_path: Path) -> None:
    """As `claude-code-proxy explain FILE | head -1`: no traceback."""
    (tmp_path / "models.yaml").write_text("- {model_id: m, api_base: 'http://127.0.0.1:1'}\n")
    request = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    (tmp_path / "request.json").write_text(json.dumps(request))
    with subprocess.Popen(
        [sys.executable, "-m", "claude_code_proxy", *arguments],
        cwd=tmp_path,
        env={**os.environ, "CLAUDE_CODE_PROXY_MODELS": "models.yaml"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        process.wait(60)
    assert process.returncode == output.CLOSED


def test_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(arguments: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "_dispatch", interrupted)
    assert main.run([]) == output.INTERRUPTED


def test_demo_gets_its_own_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main.run(["demo", "--help"])
    assert ended.value.code == 0
    assert "--keep" in capsys.readouterr().out


def test_serve_help_names_every_variable(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main.run(["serve", "--help"])
    text = capsys.readouterr().out
    for setting in SETTINGS:
        assert setting.flag in text
        assert setting.env in text


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        ([], None),
        (["--allow-remote"], "yes"),
        (["--allow-remote", "no"], "no"),
        (["--allow-remote=yes"], "yes"),
    ],
)
def test_a_switch_may_stand_alone(arguments: list[str], allowed: str | None) -> None:
    options = main.build_parser().parse_args(["serve", *arguments, "--port", "1"])
    assert (options.allow_remote, options.port) == (allowed, "1")


def test_another_address_without_leave_is_a_wrong_configuration(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["serve", "--host", "0.0.0.0", "--port", "0"]) == output.CONFIG
    assert "--allow-remote" in capsys.readouterr().err
