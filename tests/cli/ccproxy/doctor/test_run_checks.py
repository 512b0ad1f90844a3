"""`ccproxy doctor` against the demo provider, sound and with planted faults: each fault is found."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.cli import output
from claude_code_proxy.demo.replies import Chunk, Reply
from tests.cli.ccproxy.test_private_proxy import free_port
from tests.cli.desk import KEY, Desk
from tests.cli.person import talk
from tests.replies import error_reply, json_reply, stream_reply

if TYPE_CHECKING:
    from tests.cli.demo_upstream import Upstream

PROVIDER_CHECKS = ["text", "stream", "tool call", "parallel tools", "reasoning", "image", "errors"]
QUICK = {"CLAUDE_CODE_PROXY_MAX_RETRIES": "0"}


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "model": "demo", "choices": [choice]}


def call(name: str, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": function}]}


def whole(message: dict[str, Any], **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    return {"id": "c", "object": "chat.completion", "model": "demo", "choices": [choice], **more}


def examine(desk: Desk, *options: str, **env: str) -> tuple[int, dict[str, Any], dict[str, dict[str, str]]]:
    code, out, _ = desk.run("doctor", "--json", *options, **QUICK, **env)
    assert KEY not in out
    found = json.loads(out)
    return code, found, {check["name"]: check for check in found["checks"]}


def test_a_sound_provider(desk: Desk, upstream: Upstream) -> None:
    (desk.bin / "claude").write_text("#!/bin/sh\necho '2.1.330 (Claude Code)'\n", encoding="utf-8")
    desk.providers({"demo": upstream.entry(model="demo-reason", context="128k")})
    code, found, checks = examine(desk)
    assert (code, found["ok"], found["provider"], found["learned"]) == (0, True, "demo", {})
    assert {check["state"] for check in found["checks"]} == {"ok"}
    assert [name for name in checks if name in PROVIDER_CHECKS] == PROVIDER_CHECKS
    assert checks["claude"]["detail"].startswith("2.1.330 at ")
    assert "accepted back" in checks["reasoning"]["detail"]
    assert "2 calls at once" in checks["parallel tools"]["detail"]
    code, out, err = desk.run("doctor", **QUICK)
    assert (code, err) == (0, "")
    assert "ok    tool call: one call" in out
    assert "\x1b" not in out


TEXT = {"role": "assistant", "content": "I cannot call tools."}
FAULTS: list[tuple[str, Reply, str, str, str]] = [
    ("wrong key", error_reply(401, "bad key", contains="say ready"), "text", "fail", "authentication_error"),
    ("no credit", error_reply(402, "Insufficient Balance", contains="say ready"), "text", "fail", "billing_error"),
    ("down", error_reply(503, "overloaded", contains="say ready"), "text", "fail", "overloaded_error"),
    ("page", Reply(status=502, headers={"content-type": "text/html"}, contains="say ready"), "text", "fail", "502"),
    ("silent", json_reply(200, whole({"content": ""}), contains="say ready"), "text", "fail", ""),
    (
        "cut stream",
        stream_reply([chunk(content="1 2")], end="cut", contains="count to 40"),
        "stream", "fail", "",
    ),
    (
        "in one piece",
        stream_reply([chunk(content="1 2 3"), {**chunk(finish="stop"), "usage": {"prompt_tokens": 9, "completion_tokens": 3}}], contains="count to 40"),
        "stream", "warn", "all in one piece",
    ),
    (
        "tools ignored",
        stream_reply([chunk(content="Sunny"), chunk(finish="stop")], contains="run the tool"),
        "tool call", "fail", "it answered with text: Sunny",
    ),
    (
        "another city",
        stream_reply([chunk(**call("weather", '{"city": "Oslo"}')), chunk(finish="tool_calls")], contains="run the tool"),
        "tool call", "warn", "Oslo",
    ),
    (
        "one at a time",
        stream_reply([chunk(**call("weather", '{"city": "Paris"}')), chunk(finish="tool_calls")], contains="and also"),
        "parallel tools", "warn", "one tool at a time",
    ),
    ("results refused", error_reply(400, "bad history", contains='"role":"tool"'), "parallel tools", "fail", "bad history"),
    ("image refused", error_reply(400, "this model takes text only", contains="image_url"), "image", "warn", "text only"),
    ("odd error", error_reply(500, "oops", contains="no-such-model"), "errors", "warn", "api_error"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("reply", "name", "state", "says"), [fault[1:] for fault in FAULTS], ids=[f[0] for f in FAULTS]
)
def test_planted_faults(
    desk: Desk, upstream: Upstream, reply: Reply, name: str, state: str, says: str
) -> None:
    desk.providers({"demo": upstream.entry()})
    upstream.provider.script.add(reply)
    code, found, checks = examine(desk)
    assert checks[name]["state"] == state, checks[name]
    assert says in checks[name]["detail"]
    assert checks[name]["fix"]
    assert code == (output.FAILURE if state == "fail" else output.OK)
    if name == "text":
        assert [checks[other]["state"] for other in PROVIDER_CHECKS[1:]] == ["skip"] * 6
    assert found["learned"] == ({"vision": False} if name == "image" else {})


def test_reasoning_that_is_not_taken_back(desk: Desk, upstream: Upstream) -> None:
    desk.providers({"demo": upstream.entry(model="demo-reason")})
    upstream.provider.script.add(
        json_reply(200, whole({"content": "sunny"}), contains='"role":"tool"'),
        error_reply(400, "no reasoning, please", contains='"role":"tool"'),
    )
    code, _, checks = examine(desk)
    assert (code, checks["reasoning"]["state"]) == (output.FAILURE, "fail")
    assert "no reasoning, please" in checks["reasoning"]["detail"]


def test_what_was_learned_is_kept(desk: Desk, upstream: Upstream) -> None:
    models = desk.home / "models.yaml"
    env = {"CLAUDE_CODE_PROXY_MODELS": str(models)}
    desk.providers({"demo": upstream.entry()})
    upstream.provider.script.add(error_reply(400, "text only", contains="image_url"))
    code, _, err = desk.run("doctor", **QUICK, **env)
    assert code == 0
    assert "vision: false" in err
    assert not models.exists()
    upstream.provider.script.add(error_reply(400, "text only", contains="image_url"))
    assert desk.run("doctor", "--write", **QUICK, **env)[0] == 0
    assert "vision: false" in models.read_text(encoding="utf-8")
    _, found, checks = examine(desk, **env)
    assert found["learned"] == {}
    assert "a note in the text" in checks["image"]["detail"]


def test_one_line_at_the_end_and_no_row_of_skips(desk: Desk, upstream: Upstream) -> None:
    desk.providers({"demo": upstream.entry(context="128k")})
    assert desk.run("doctor", **QUICK)[1].splitlines()[-1].endswith("next: ccproxy -P demo")
    upstream.provider.script.add(error_reply(401, "bad key", contains="say ready"))
    out = desk.run("doctor", **QUICK)[1]
    assert "skip" not in out.replace("; 7 more", "")
    assert out.splitlines()[-1].startswith(
        "1 failed; 7 more steps need it first. first: text: check auth_key"
    )


def test_a_dead_model_behind_a_healthy_fallback(desk: Desk, upstream: Upstream) -> None:
    dead = {
        "base_url": f"http://127.0.0.1:{free_port()}/v1",
        "auth_key": KEY,
        "model": "m",
        "format": "openai",
    }
    desk.providers({"a": dead | {"fallback": ["b/demo"], "default": True}, "b": upstream.entry()})
    code, _, checks = examine(desk)
    assert (code, checks["text"]["state"], checks["fallback"]["state"]) == (output.FAILURE, "fail", "ok")
    assert "`base_url`" in checks["text"]["detail"]
    assert checks["text"]["fix"] == "start the server, or check base_url: ccproxy edit"
    desk.providers({"a": upstream.entry(routes={"title": "b/m"}, default=True), "b": dead})
    assert examine(desk)[2]["routes.title"]["state"] == "fail"
    desk.providers({"a": upstream.entry(fallback=["b/m"], default=True), "b": dead})
    code, _, checks = examine(desk)
    assert (code, checks["text"]["state"], checks["fallback"]["state"]) == (0, "ok", "warn")


def test_the_other_models_of_a_session_are_asked(desk: Desk, upstream: Upstream) -> None:
    named = {"small_model": "no-such-model", "ANTHROPIC_DEFAULT_OPUS_MODEL": "demo-reason"}
    desk.providers({"demo": upstream.entry(**named)})
    code, _, checks = examine(desk)
    assert (code, checks["small_model"]["state"], checks["tier"]["state"]) == (output.FAILURE, "fail", "ok")
    assert checks["small_model"]["fix"] == "check the name no-such-model: ccproxy models"


def test_a_window_that_is_too_small_for_claude(desk: Desk, upstream: Upstream) -> None:
    desk.providers({"demo": upstream.entry(model="demo-small-8k")})
    _, _, checks = examine(desk)
    assert (checks["room"]["state"], "does not fit" in checks["room"]["detail"]) == ("fail", True)
    desk.providers({"demo": upstream.entry()})
    usage = {"prompt_tokens": 4096, "completion_tokens": 1, "total_tokens": 4097}
    upstream.provider.script.add(
        json_reply(200, whole({"content": "ready"}, usage=usage), contains="dull day")
    )
    _, _, checks = examine(desk)
    assert (checks["room"]["state"], "the model read 4096" in checks["room"]["detail"]) == ("fail", True)


VERDICTS = [
    (Reply(status=301, headers={"location": "https://new.example/v1"}, contains="say ready"), "text", "fail", "final address as base_url"),
    (error_reply(500, "boom", contains="say ready"), "text", "fail", "the provider has trouble"),
    (stream_reply([chunk(content="1 2")], end="cut", contains="count to 40"), "stream", "fail", "the connection breaks"),
    (stream_reply([chunk(content="1 2")], done=False, contains="count to 40"), "stream", "fail", "the connection breaks"),
    (Reply(headers={"content-type": "text/html"}, chunks=(Chunk(data=b"<html>"),), contains="say ready"), "text", "fail", "check base_url"),
    (error_reply(500, "not executed", contains="say ready"), "text", "fail", "the provider has trouble"),
    (json_reply(200, whole({"content": "I see no picture."}), contains="image_url"), "image", "warn", "vision: false"),
    (error_reply(402, "Insufficient Balance", contains="say ready"), "text", "fail", "top it up"),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "name", "state", "advice"), VERDICTS)
def test_verdicts(desk: Desk, upstream: Upstream, reply: Reply, name: str, state: str, advice: str) -> None:
    desk.providers({"demo": upstream.entry()})
    upstream.provider.script.add(reply)
    _, _, checks = examine(desk)
    assert (checks[name]["state"], advice in checks[name]["fix"]) == (state, True), checks[name]
    assert "api_base" not in checks[name]["detail"]


def test_each_step_has_a_limit(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        desk.providers({"demo": {"base_url": url, "auth_key": KEY, "model": "m", "format": "openai"}})
        code, _, checks = examine(desk, "--timeout", "1")
    assert (code, checks["text"]["detail"]) == (output.FAILURE, "no whole answer within 1 s")
    assert desk.run("doctor", "--timeout", "soon")[0] == output.USAGE


def test_a_local_server_that_does_not_run(desk: Desk) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    desk.providers({"demo": {"base_url": url, "model": "m", "profile": "ollama"}})
    code, _, checks = examine(desk, "--offline")
    assert (code, checks["server"]["state"], checks["server"]["fix"]) == (1, "fail", "ollama serve")


def test_what_is_asked_shows_at_a_terminal(desk: Desk, upstream: Upstream) -> None:
    desk.providers({"demo": upstream.entry()})
    said = talk(desk, "doctor", types=[], **QUICK)[1]
    assert "      tool call ...\r" in said


def test_nobody_answers(desk: Desk) -> None:
    desk.providers(
        {
            "demo": {
                "base_url": f"http://127.0.0.1:{free_port()}/v1",
                "auth_key": KEY,
                "model": "m",
                "format": "openai",
            }
        }
    )
    code, _, checks = examine(desk)
    assert (code, checks["text"]["state"]) == (output.FAILURE, "fail")
    assert "cannot connect" in checks["text"]["detail"]


LOCAL: list[tuple[str, dict[str, Any], dict[str, str], str, str, str]] = [
    ("no file", {}, {}, "file", "fail", "must be a mapping"),
    (
        "no such variable",
        {"auth_key": "env:NOT_SET"},
        {},
        "file",
        "fail",
        "env:NOT_SET: the variable is not set",
    ),
    ("no url", {"base_url": "ftp://x"}, {}, "file", "fail", "must start with https://"),
    ("in the clear", {"base_url": "http://api.deepseek.com"}, {}, "address", "warn", "plain http"),
    ("window", {"context": "16k"}, {}, "window", "warn", "below 48000 is too small"),
    (
        "company proxy",
        {},
        {"HTTPS_PROXY": "socks5://p:1"},
        "proxy",
        "fail",
        "only http and https are supported",
    ),
    ("nested", {}, {"CCPROXY_SESSION": "outer"}, "nested", "warn", "inside a session on outer"),
]


@pytest.mark.parametrize(
    ("changes", "env", "name", "state", "says"), [c[1:] for c in LOCAL], ids=[c[0] for c in LOCAL]
)
def test_local_faults(
    desk: Desk, changes: dict[str, Any], env: dict[str, str], name: str, state: str, says: str
) -> None:
    entry = {"base_url": "https://api.deepseek.com", "auth_key": KEY, "model": "deepseek-chat"} | changes
    desk.providers({"demo": entry} if name != "file" or changes else {})
    code, _, checks = examine(desk, "--offline", **env)
    assert checks[name]["state"] == state
    assert says in checks[name]["detail"]
    assert code == (output.FAILURE if state == "fail" else output.OK)
    assert not set(checks) & set(PROVIDER_CHECKS)


def test_files_that_others_read_and_settings_that_fight(desk: Desk) -> None:
    entry = {"base_url": "https://api.deepseek.com", "auth_key": KEY, "model": "deepseek-chat"}
    desk.providers({"demo": entry}, mode=0o644)
    code, _, checks = examine(desk, "--offline")
    assert (code, checks["file"]["state"]) == (output.FAILURE, "fail")
    assert checks["file"]["fix"] == f"chmod 600 {desk.config}"
    desk.providers({"demo": entry})
    settings = desk.project / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{"env": {\n"ANTHROPIC_BASE_URL": "https://other.example"}}', encoding="utf-8")
    _, _, checks = examine(desk, "--offline")
    assert checks["settings"]["detail"] == f"{settings}:2: ANTHROPIC_BASE_URL is overridden for the session"
    (desk.bin / "claude").unlink()
    _, _, checks = examine(desk, "--offline")
    assert (checks["claude"]["state"], "not installed" in checks["claude"]["detail"]) == ("fail", True)
    (desk.bin / "claude").write_text("#!/bin/sh\necho '1.0.9 (Claude Code)'\n", encoding="utf-8")
    (desk.bin / "claude").chmod(0o755)
    _, _, checks = examine(desk, "--offline")
    assert checks["claude"]["detail"].startswith("1.0.9 is older than 2.1.197")


def test_wrong_usage(desk: Desk) -> None:
    code, out, err = desk.run("doctor", "deepseek")
    assert (code, out) == (output.USAGE, "")
    assert "doctor -P deepseek" in err


@pytest.mark.parametrize(
    ("model", "told"),
    [("anthropic/kimi-k3", True), ("kimi-k3", True), ("opus[1m]", False), ("claude-opus-5-5", False)],
)
def test_a_pick_that_plain_claude_would_ask_for(desk: Desk, model: str, told: bool) -> None:
    settings = desk.home / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text(json.dumps({"model": model}), encoding="utf-8")
    checks = examine(desk, "--offline")[1]["checks"]
    found = [check for check in checks if f"/model saved {model}" in check["detail"]]
    assert [(check["state"], f"{settings}:1" in check["detail"]) for check in found] == [
        ("warn", True)
    ] * told


def test_the_providers_own_list_tells_the_window(desk: Desk, upstream: Upstream) -> None:
    upstream.provider.models = [{"id": "demo", "context_length": 262144}]
    desk.providers({"demo": upstream.entry()})
    found = [check for check in examine(desk)[1]["checks"] if check["name"] == "window"]
    assert found[-1]["fix"] == 'write "context": 262144 into the entry: ccproxy edit'
