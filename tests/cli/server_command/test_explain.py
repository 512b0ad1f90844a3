"""`claude-code-proxy explain`: what a request becomes, and nobody is called."""

from __future__ import annotations

import io
import json
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.cli import output
from claude_code_proxy.cli.server_command import main

if TYPE_CHECKING:
    from pathlib import Path

MODELS = """
- {model_id: deepseek-v4-pro, api_base: 'https://api.deepseek.com', drop_tools: [WebSearch]}
- {model_id: native, model_name: glm-5.3, api_base: 'https://x.example/anthropic?v=1', format: anthropic,
   drop_fields: [context_management], max_tokens: 1000}
- model_id: routed
  api_base: https://api.deepseek.com
  routes: {subagent: native, long_context: {above: 1k, to: deepseek-v4-pro}}
"""
REQUEST: dict[str, Any] = {
    "model": "deepseek-v4-pro",
    "max_tokens": 500_000,
    "stream": True,
    "top_k": 3,
    "context_management": {"edits": []},
    "tools": [{"name": name, "input_schema": {"type": "object"}} for name in ("Read", "WebSearch")],
    "messages": [{"role": "user", "content": "h\u00e9"}],
}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("explain called someone")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def explain(folder: Path, *arguments: str, request: Any = REQUEST) -> int:
    models, file = folder / "m.yaml", folder / "r.json"
    models.write_text(MODELS)
    file.write_bytes(request if isinstance(request, bytes) else json.dumps(request).encode())
    return main.run(["explain", str(file), "--models", str(models), *arguments])


def test_a_converted_request_as_a_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(tmp_path, "--json") == output.OK
    found = json.loads(capsys.readouterr().out)
    assert found["version"] == 1
    assert found["upstream_url"] == "https://api.deepseek.com/v1/chat/completions"
    assert (found["model"], found["profile"], found["format"]) == ("deepseek-v4-pro", "deepseek", "openai")
    assert found["upstream_request"]["max_tokens"] == 393_216
    assert found["input_tokens"] > 0
    codes = {notice["code"]: notice for notice in found["notices"]}
    assert {"max_tokens_clamped", "top_k", "tool_dropped"} <= codes.keys()
    assert codes["tool_dropped"]["path"] == "tools.1"


def test_a_passed_through_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(tmp_path, "--json", "--model", "native") == output.OK
    found = json.loads(capsys.readouterr().out)
    assert found["upstream_url"] == "https://x.example/anthropic/v1/messages"
    assert (found["format"], found["input_tokens"]) == ("anthropic", None)
    sent = found["upstream_request"]
    assert (sent["model"], sent["max_tokens"]) == ("glm-5.3", 1000)
    assert sent["messages"] == REQUEST["messages"]
    assert "context_management" not in sent
    assert {notice["code"] for notice in found["notices"]} == {"field_dropped", "max_tokens_clamped"}


@pytest.mark.parametrize(
    ("options", "text", "rule", "model"),
    [
        ((), "hello", "", "routed"),
        (("--class", "main"), "hello", "", "routed"),
        (("--class", "subagent"), "hello", "subagent", "native"),
        ((), "a few words " * 1000, "long_context", "deepseek-v4-pro"),
    ],
)
def test_a_rule(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: Any, text: str, rule: str, model: str
) -> None:
    request = REQUEST | {"model": "routed", "messages": [{"role": "user", "content": text}]}
    assert explain(tmp_path, "--json", *options, request=request) == output.OK
    found = json.loads(capsys.readouterr().out)
    assert (found["rule"], found["model"]) == (rule, model)
    assert explain(tmp_path, *options, request=request) == output.OK
    said = f"the rule {rule} sends it to {model}"
    assert (said in capsys.readouterr().out) == bool(rule)


def test_for_a_person(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(tmp_path) == output.OK
    head, _, body = capsys.readouterr().out.partition("\n\n")
    assert head.startswith("POST https://api.deepseek.com/v1/chat/completions (profile deepseek, about ")
    assert "  dropped top_k at top_k: the provider has no such parameter" in head.splitlines()
    assert json.loads(body)["messages"] == REQUEST["messages"]
    assert "h\u00e9" in body


def test_the_differences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(tmp_path, "--diff") == output.OK
    _, _, diff = capsys.readouterr().out.partition("\n\n")
    lines = diff.splitlines()
    assert lines[:2] == ["--- client", "+++ upstream"]
    assert '-  "max_tokens": 500000,' in lines
    assert any(line.startswith('+  "max_tokens": 393216') for line in lines)


def test_nothing_to_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = {"model": "deepseek-v4-pro", "max_tokens": 10, "messages": REQUEST["messages"]}
    assert explain(tmp_path, request=plain) == output.OK
    assert "everything is carried over" in capsys.readouterr().out


def test_hooks_take_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hooks = tmp_path / "h.py"
    hooks.write_text("def request_hook(payload):\n    payload['seed'] = 7\n")
    assert explain(tmp_path, "--json", "--hooks", str(hooks)) == output.OK
    found = json.loads(capsys.readouterr().out)
    assert found["upstream_request"]["seed"] == 7
    assert found["notices"][-1]["code"] == "request_hook"


def test_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.yaml").write_text(MODELS)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(REQUEST).encode())))
    assert main.run(["explain", "-", "--models", str(tmp_path / "m.yaml")]) == output.OK
    assert capsys.readouterr().out.startswith("POST ")


@pytest.mark.parametrize(
    ("request_", "arguments", "says"),
    [
        (b"{\n,}", (), "r.json:2: not valid JSON"),
        (b"[]", (), "a request is a JSON object"),
        ({"max_tokens": 1}, (), "names no model (hint: --model)"),
        (REQUEST, ("--model", "deepseek-v4-pr"), "did you mean deepseek-v4-pro?"),
        (REQUEST, ("--model", "zzz"), "claude-code-proxy models lists them"),
        ({**REQUEST, "messages": 1}, (), "messages: must be an array"),
    ],
)
def test_what_cannot_be_explained(
    tmp_path: Path, request_: Any, arguments: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain(tmp_path, *arguments, request=request_) == output.FAILURE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert says in captured.err


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.yaml").write_text(MODELS)
    nothing = str(tmp_path / "nothing.json")
    assert main.run(["explain", nothing, "--models", str(tmp_path / "m.yaml")]) == output.FAILURE
    assert "cannot be read" in capsys.readouterr().err
