"""`ccproxy`, run for real: a fake `claude` says how it was started."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.cli import output
from claude_code_proxy.cli.ccproxy.arguments import UsageError, parse
from claude_code_proxy.cli.ccproxy.launcher import run
from tests.cli.desk import KEY, LEAST, Desk
from tests.cli.person import talk

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("arguments", [[], ["--direct"]])
def test_claude_is_started_with_the_provider(desk: Desk, arguments: list[str]) -> None:
    fights = {"ANTHROPIC_API_KEY": "sk-other", "CLAUDE_CODE_USE_VERTEX": "1"}
    started = desk.claude(*arguments, "-p", "hello world", **fights)
    assert started["argv"] == ["-p", "hello world"]
    is_direct = bool(arguments)
    assert (started["env"]["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:8082") is is_direct
    assert (started["env"]["ANTHROPIC_AUTH_TOKEN"] == KEY) is is_direct
    assert (KEY in json.dumps(started)) is is_direct
    assert started["env"]["ANTHROPIC_DEFAULT_HAIKU_MODEL"] == "deepseek-chat"
    assert "ANTHROPIC_API_KEY" not in started["env"]
    assert "CLAUDE_CODE_USE_VERTEX" not in started["env"]


def test_ccproxy_becomes_claude(desk: Desk) -> None:
    with desk.start("wait") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["pid"] == process.pid
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM


@pytest.mark.parametrize("code", [0, 1, 42])
def test_exit_code_is_claudes(desk: Desk, code: int) -> None:
    assert desk.run(FAKE_EXIT=str(code))[0] == code


def test_broken_pipes_end_claude_as_they_would_without_us(desk: Desk) -> None:
    (desk.bin / "claude").write_text(
        "#!/bin/sh\ntrap\nwhile :; do echo line || exit 9; done\n", encoding="utf-8"
    )
    with desk.start(PATH=f"{desk.bin}:{os.environ['PATH']}") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        process.wait(60)
    assert process.returncode == -signal.SIGPIPE


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["config", "show"], ["doctor", "--offline"]])
def test_nobody_reads_on(desk: Desk, arguments: list[str]) -> None:
    """As `ccproxy doctor | head -3`: no traceback."""
    with desk.start(*arguments) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()
        process.wait(60)
    assert (process.returncode, err) == (output.CLOSED, "")


def test_models_to_choose_from_at_a_terminal_only(desk: Desk) -> None:
    entry = LEAST | {"context": "128k", "small_model": "b/flash"}
    desk.providers({"a": entry | {"default": True}, "b": LEAST | {"base_url": "https://api.deepseek.com"}})
    assert desk.claude("-c")["argv"] == ["-c"]
    for arguments in (["-p", "hi"], ["--print"], ["--settings", "mine.json"]):
        code, said = talk(desk, *arguments, types=[])
        assert (code, json.loads(said)["argv"]) == (0, arguments)
    code, said = talk(desk, "-c", types=[])
    option, text, *rest = json.loads(said)["argv"]
    assert (code, option, rest) == (0, "--settings", ["-c"])
    options = json.loads(text)["modelPicker"]["options"]
    assert [(row["model"], row["label"]) for row in options] == [
        ("deepseek-chat", "deepseek-chat (a)"),
        ("b/flash", "flash (b)"),
    ]
    assert options[0]["description"] == "128k context"


@pytest.mark.parametrize(("context", "switch"), [("128k", "1"), ("1m", None), (None, None)])
def test_default_is_no_wider_than_the_model(desk: Desk, context: str | None, switch: str | None) -> None:
    desk.providers({"a": LEAST | ({"context": context} if context else {})})
    assert desk.claude()["env"].get("CLAUDE_CODE_DISABLE_1M_CONTEXT") == switch


def test_limits_of_the_local_models_file(desk: Desk) -> None:
    models = desk.home / "models.yaml"
    models.write_text(
        "- {model_id: deepseek-chat, api_base: 'https://api.deepseek.com', context: 128k, max_tokens: 8k}\n",
        encoding="utf-8",
    )
    env = desk.claude(CLAUDE_CODE_PROXY_MODELS=str(models))["env"]
    assert (env["CLAUDE_CODE_MAX_CONTEXT_TOKENS"], env["CLAUDE_CODE_MAX_OUTPUT_TOKENS"]) == ("128000", "8000")
    assert desk.claude(CUSTOM_MODELS_FILE=str(models))["env"]["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] == "8000"
    models.write_text("- {model_id: other, api_base: 'https://api.deepseek.com'}\n", encoding="utf-8")
    assert "CLAUDE_CODE_MAX_CONTEXT_TOKENS" not in desk.claude(CLAUDE_CODE_PROXY_MODELS=str(models))["env"]


@pytest.mark.parametrize(
    ("entry", "capabilities"),
    [
        ("thinking_switch: none", "deepseek-chat=-effort"),
        (
            "thinking_switch: reasoning_effort, effort_values: [low, high]",
            "deepseek-chat=-xhigh_effort,-max_effort",
        ),
        ("thinking_switch: reasoning_effort, effort_values: []", None),
        ("thinking_switch: none, fallback: [other]", None),
        ("format: anthropic", None),
        ("format: anthropic, drop_fields: [output_config.effort]", "deepseek-chat=-effort"),
    ],
)
def test_effort_levels_that_the_model_lacks(desk: Desk, entry: str, capabilities: str | None) -> None:
    models = desk.home / "models.yaml"
    other = "- {model_id: other, api_base: 'https://llm.example/v1'}"
    main = f"- {{model_id: deepseek-chat, api_base: 'https://llm.example/v1', {entry}}}"
    models.write_text(f"{main}\n{other}\n", encoding="utf-8")
    env = desk.claude(CLAUDE_CODE_PROXY_MODELS=str(models))["env"]
    assert env.get("CLAUDE_CODE_MODEL_CAPABILITIES") == capabilities


def test_broken_models_file_is_said_and_not_fatal(desk: Desk) -> None:
    models = desk.home / "models.yaml"
    models.write_text("- {model_id: a}\n", encoding="utf-8")
    code, out, err = desk.run(CLAUDE_CODE_PROXY_MODELS=str(models))
    assert code == 0
    assert json.loads(out)["argv"] == []
    assert err.startswith(f"warning: {models}:1: api_base is missing")


def test_small_window_is_said(desk: Desk) -> None:
    desk.providers({"local": LEAST | {"context": "32k"}})
    assert "has a window of 32000 tokens" in desk.run()[2]


@pytest.mark.parametrize(
    ("argv", "rest", "provider"),
    [
        ([], [], None),
        (["-P", "x", "-p", "hi"], ["-p", "hi"], "x"),
        (["--provider", "x"], [], "x"),
        (["--provider=x", "--model=y"], ["--model=y"], "x"),
        (["-p", "hi", "-P", "x", "-c"], ["-p", "hi", "-c"], "x"),
        (["-P", "x", "--", "-P", "y", "--help"], ["-P", "y", "--help"], "x"),
        (["--", "--", "a"], ["--", "a"], None),
        (["mcp", "add", "n", "--", "npx", "-C", "d"], ["mcp", "add", "n", "--", "npx", "-C", "d"], None),
        (["--unknown", "--verbose"], ["--unknown", "--verbose"], None),
        (["mcp", "--help"], ["mcp", "--help"], None),
        (["-p", ""], ["-p", ""], None),
    ],
)
def test_own_options_and_claudes(argv: list[str], rest: list[str], provider: str | None) -> None:
    line = parse(argv)
    assert (line.rest, line.provider) == (rest, provider)


@pytest.mark.parametrize("argv", [["-P"], ["--provider="], ["-C"], ["--config", "--"]])
def test_options_without_their_value(argv: list[str]) -> None:
    with pytest.raises(UsageError, match="needs a value"):
        parse(argv)


def test_choosing_a_provider(desk: Desk) -> None:
    desk.providers({"a": LEAST | {"model": "ma"}, "b": LEAST | {"model": "mb", "default": True}})
    assert desk.claude()["env"]["ANTHROPIC_MODEL"] == "mb"
    assert desk.claude("-P", "a")["env"]["ANTHROPIC_MODEL"] == "ma"
    assert desk.claude(CCPROXY_PROVIDER="a")["env"]["ANTHROPIC_MODEL"] == "ma"
    assert desk.claude("--provider=b", CCPROXY_PROVIDER="a")["env"]["ANTHROPIC_MODEL"] == "mb"


def test_other_places_of_the_file(desk: Desk, tmp_path: Path) -> None:
    desk.config.unlink()
    other = tmp_path / "xdg" / "llm" / "cc-proxy.json"
    other.parent.mkdir(parents=True)
    other.write_text("// mine\n" + json.dumps(LEAST), encoding="utf-8")
    other.chmod(0o600)
    assert desk.claude(XDG_CONFIG_HOME=str(tmp_path / "xdg"))["env"]["ANTHROPIC_MODEL"] == "deepseek-chat"
    assert desk.claude("-C", str(other))["env"]["ANTHROPIC_MODEL"] == "deepseek-chat"
    assert desk.claude(f"--config={other}")["env"]["ANTHROPIC_MODEL"] == "deepseek-chat"


@pytest.mark.parametrize(
    ("arguments", "providers", "code", "says"),
    [
        (["-C", "none.json"], {}, output.CONFIG, "none.json: no such file (hint: create it (mode 0600)"),
        ([], {"a": {"model": "m"}}, output.CONFIG, "base_url is missing"),
        (["-P", "deepsek"], {"deepseek": LEAST}, output.CONFIG, 'did you mean "deepseek"?'),
        ([], {"a": LEAST, "b": LEAST}, output.CONFIG, "choose with -P: a, b"),
        (["-P"], {"a": LEAST}, output.USAGE, "-P needs a value (hint: ccproxy --help)"),
        (["list", "--yaml"], {"a": LEAST}, output.USAGE, "list takes --json, not --yaml"),
    ],
)
def test_failures_have_a_line_and_a_code(
    desk: Desk, arguments: list[str], providers: Any, code: int, says: str
) -> None:
    desk.providers(providers)
    found, out, err = desk.run(*arguments)
    assert (found, out) == (code, "")
    assert err.startswith("error: ")
    assert says in err


def test_claude_is_found_where_its_installers_put_it(desk: Desk) -> None:
    (desk.bin / "claude").unlink()
    code, out, err = desk.run()
    assert (code, out) == (output.NOT_FOUND, "")
    assert err.startswith("error: claude is not installed (hint: curl ")
    desk.install(desk.home / ".claude" / "local")
    assert desk.claude()["argv"] == []
    desk.install(desk.home / ".local" / "bin")
    assert desk.claude()["argv"] == []


def test_claude_that_cannot_run(desk: Desk) -> None:
    (desk.bin / "claude").write_text("#!/nowhere/at/all\n", encoding="utf-8")
    code, _, err = desk.run()
    assert code == output.NOT_EXECUTABLE
    assert "cannot be run" in err


def test_windows_is_told_what_works_there(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("PATH", "")  # no claude to become, whatever happens
    assert run(["-C", str(desk.config), "-p", "hello"]) == 1
    assert "claude-code-proxy serve" in capsys.readouterr().err


def test_file_that_others_can_read(desk: Desk) -> None:
    desk.providers({"a": LEAST}, mode=0o644)
    code, out, err = desk.run()
    assert (code, out) == (output.CONFIG, "")
    fix = f"this file contains keys and other users can read it (hint: chmod 600 {desk.config})\n"
    assert err == f"error: {desk.config}: {fix}"
    code, out, err = desk.run("list")
    assert code == 0
    assert f"hint: chmod 600 {desk.config}" in err
    desk.providers({"a": LEAST | {"auth_key": "env:DEEPSEEK_KEY"}}, mode=0o644)
    assert desk.claude("--direct", DEEPSEEK_KEY=KEY)["env"]["ANTHROPIC_AUTH_TOKEN"] == KEY


def test_list(desk: Desk) -> None:
    desk.providers({"a": LEAST, "b": LEAST | {"default": True}})
    code, out, err = desk.run("list")
    assert (code, err) == (0, "")
    assert KEY not in out
    assert [line.split() for line in out.splitlines()] == [
        ["PROVIDER", "MODEL", "KEY", "BASE", "URL"],
        ["a", "deepseek-chat", "(hidden)", "http://127.0.0.1:8082"],
        ["*", "b", "deepseek-chat", "(hidden)", "http://127.0.0.1:8082"],
    ]
    code, out, _ = desk.run("list", "--json")
    assert KEY not in out
    assert [(item["name"], item["default"]) for item in json.loads(out)["providers"]] == [
        ("a", False),
        ("b", True),
    ]
    assert desk.claude("-P", "a", "--", "list")["argv"] == ["list"]


def test_dry_run(desk: Desk) -> None:
    code, out, err = desk.run("--dry-run", "-p", "a b", ANTHROPIC_API_KEY=KEY, OTHER_SECRET=KEY)
    assert (code, err) == (0, "")
    assert KEY not in out
    assert "unset ANTHROPIC_API_KEY" in out
    assert "export ANTHROPIC_AUTH_TOKEN=(hidden)" in out
    assert "export ANTHROPIC_MODEL=deepseek-chat" in out
    assert out.endswith(f"{desk.bin}/claude -p 'a b'\n")
    (desk.bin / "claude").unlink()
    code, _, err = desk.run("--dry-run")
    assert (code, err.startswith("warning: claude is not installed")) == (0, True)


def test_a_page_without_a_question_to_anthropic(desk: Desk) -> None:
    assert desk.claude()["argv"] == []
    desk.providers({"deepseek": LEAST | {"skipWebFetchPreflight": True}})
    flag, settings = desk.claude()["argv"]
    assert (flag, json.loads(settings)) == ("--settings", {"skipWebFetchPreflight": True})


def test_claudes_own_settings_do_not_win(desk: Desk) -> None:
    settings = desk.project / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{"env": {"ANTHROPIC_MODEL": "other"}}', encoding="utf-8")
    argv = desk.claude("-p", "hi")["argv"]
    assert argv == ["--settings", '{"env": {"ANTHROPIC_MODEL": "deepseek-chat"}}', "-p", "hi"]
    code, out, err = desk.run("--settings", "mine.json")
    assert (code, json.loads(out)["argv"]) == (0, ["--settings", "mine.json"])
    assert "sets ANTHROPIC_MODEL; your own --settings is left as it is" in err
    settings.write_text('{"apiKeyHelper": "cat key", "env": {"ANTHROPIC_AUTH_TOKEN": "x"}}', encoding="utf-8")
    started = desk.claude("-p", "hi")
    assert started["argv"] == ["--settings", '{"apiKeyHelper": ""}', "-p", "hi"]
    assert started["env"]["CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST"] == "1"


def test_the_key_is_in_no_argument(desk: Desk) -> None:
    assert KEY not in json.dumps(desk.claude("-p", "hi")["argv"])


def test_help(desk: Desk) -> None:
    desk.config.unlink()
    code, out, err = desk.run("--help")
    assert (code, err) == (0, "")
    for line in ("ccproxy -P deepseek", "exit codes:", "127 claude is not installed"):
        assert line in out
