"""The user's own hooks: on both paths, reported, isolated, and free of cost when there are none."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.core.report import Report
from claude_code_proxy.server.app import App
from claude_code_proxy.server.hooks.user_hooks import Hooks, compile_hooks
from claude_code_proxy.server.serve import serve
from tests.server.byte_upstream import Connection, Request, running_upstream, say_hello
from tests.server.harness import BODY, Reply, ask, model, running_proxy

if TYPE_CHECKING:
    from pathlib import Path

TOOLS = [{"name": name, "input_schema": {"type": "object"}} for name in ("Read", "WebSearch")]
DROP = """
def request_hook(payload):
    def name(tool):
        return tool.get("name") or tool["function"]["name"]
    payload["tools"] = [tool for tool in payload["tools"] if name(tool) != "WebSearch"]
    return payload
"""
SHOUT = """
def response_hook(event):
    if event["type"] == "content_block_delta" and event["delta"]["type"] == "text_delta":
        event["delta"]["text"] = event["delta"]["text"].upper()
    for block in event.get("content", ()):
        block["text"] = block["text"].upper()
"""
FAILS = "def request_hook(payload):\n    payload.clear()\n    raise ValueError('my own fault')\n"
FAILS_LATER = "def response_hook(event):\n    event.clear()\n    raise ValueError('my own fault')\n"


async def say_hello_natively(request: Request, connection: Connection) -> None:
    """An upstream that speaks the Anthropic format, with spaces of its own."""
    text = {"type": "text", "text": "Hello"}
    message: dict[str, Any] = {
        "id": "m1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [text],
    }
    message |= {
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 2},
    }
    if not request.json.get("stream"):
        await connection.whole(200, message)
        return
    await connection.head()
    for event in (
        {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}},
        {"type": "ping"},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    ):
        await connection.chunk(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
    await connection.end()


PATHS = [
    pytest.param("openai", say_hello, id="converted"),
    pytest.param("anthropic", say_hello_natively, id="native"),
]
FORMS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def text_of(reply: Reply) -> str:
    if "event-stream" not in reply.headers["content-type"]:
        return "".join(block["text"] for block in reply.json["content"])
    deltas = [event["delta"] for event in reply.events if event["type"] == "content_block_delta"]
    return "".join(delta["text"] for delta in deltas)


def written(folder: Path, code: str) -> Path:
    path = folder / "my_hooks.py"
    path.write_text(code)
    return path


@FORMS
@pytest.mark.parametrize(("form", "script"), PATHS)
async def test_hooks_see_and_change_both_ways(tmp_path: Path, form: str, script: Any, stream: bool) -> None:
    hooks = written(tmp_path, DROP + SHOUT)
    async with running_upstream(script) as upstream:
        entry = model(upstream.base, format=form)
        async with running_proxy([entry], hooks=hooks) as proxy:
            body = {**BODY, "tools": TOOLS, "stream": stream}
            reply = await ask(proxy, body, headers={"x-proxy-report": "1"})
    assert text_of(reply) == "HELLO"
    sent = upstream.requests[0].json["tools"]
    assert [tool.get("name") or tool["function"]["name"] for tool in sent] == ["Read"]
    assert "request_hook" in reply.headers["x-proxy-notices"]


@FORMS
@pytest.mark.parametrize(("form", "script"), PATHS)
async def test_a_hook_that_changes_nothing_leaves_every_byte(
    tmp_path: Path, form: str, script: Any, stream: bool
) -> None:
    raw = b'{ "model": "m",  "max_tokens": 1e2, "stream": %b, "messages": [{"role":"user","content":"\\u0068i"}] }'
    raw %= json.dumps(stream).encode()
    bodies: list[tuple[bytes, bytes]] = []
    for code in ("def request_hook(payload): pass\ndef response_hook(event): return event\n", None):
        settings: dict[str, Any] = {"hooks": written(tmp_path, code)} if code else {}
        async with (
            running_upstream(script) as upstream,
            running_proxy([model(upstream.base, format=form)], **settings) as proxy,
        ):
            reply = await ask(proxy, raw)
        answer = reply.body if form == "anthropic" else text_of(reply).encode()
        bodies.append((upstream.requests[0].body, answer))
    assert bodies[0] == bodies[1]
    assert form == "openai" or bodies[0][0] == raw


@FORMS
@pytest.mark.parametrize("code", [FAILS, FAILS_LATER], ids=["request", "response"])
@pytest.mark.parametrize(("form", "script"), PATHS)
async def test_a_hook_that_fails_is_logged_and_left_out(
    tmp_path: Path, form: str, script: Any, code: str, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_upstream(script) as upstream:
        entry = model(upstream.base, format=form)
        async with running_proxy([entry], hooks=written(tmp_path, code)) as proxy:
            reply = await ask(proxy, {**BODY, "stream": stream})
    assert text_of(reply) == "Hello"
    assert upstream.requests[0].json["messages"] == BODY["messages"]
    assert caplog.text.count("ValueError: my own fault") == 1, "once a request, however many events it has"
    assert "hook_failed" in caplog.text


@FORMS
@pytest.mark.parametrize("code", [FAILS, FAILS_LATER], ids=["request", "response"])
@pytest.mark.parametrize(("form", "script"), PATHS)
async def test_a_hook_that_fails_can_refuse_the_request(
    tmp_path: Path, form: str, script: Any, code: str, stream: bool
) -> None:
    async with running_upstream(script) as upstream:
        entry = model(upstream.base, format=form)
        settings: dict[str, Any] = {"hooks": written(tmp_path, code), "hook_errors": "refuse"}
        async with running_proxy([entry], **settings) as proxy:
            reply = await ask(proxy, {**BODY, "stream": stream})
    assert reply.status == 500
    assert reply.json["error"]["type"] == "api_error"
    assert "hook of the proxy's hooks failed: ValueError" in reply.json["error"]["message"]
    assert "my own fault" not in reply.body.decode(), "what went wrong inside is for the log"
    if code == FAILS:
        assert upstream.requests == []


async def test_an_async_request_hook_and_one_that_returns_another_object(tmp_path: Path) -> None:
    code = "async def request_hook(payload):\n    return {**payload, 'seed': 7}\n"
    async with (
        running_upstream(say_hello) as upstream,
        running_proxy([model(upstream.base)], hooks=written(tmp_path, code)) as proxy,
    ):
        assert (await ask(proxy)).status == 200
    assert upstream.requests[0].json["seed"] == 7


async def test_a_correction_keeps_what_the_hook_did(tmp_path: Path) -> None:
    async def script(request: Request, connection: Connection) -> None:
        if "temperature" in request.json:
            words = "'temperature' is not supported with this model"
            await connection.whole(400, {"error": {"message": words}})
        else:
            await say_hello(request, connection)

    code = "def request_hook(payload):\n    payload['seed'] = 7\n"
    async with (
        running_upstream(script) as upstream,
        running_proxy([model(upstream.base)], hooks=written(tmp_path, code)) as proxy,
    ):
        assert (await ask(proxy, {**BODY, "temperature": 0})).status == 200
    assert [request.json["seed"] for request in upstream.requests] == [7, 7]


@pytest.mark.parametrize("result", ["1", "{}", "{'type': 'other'}"])
def test_a_response_hook_cannot_break_the_protocol(tmp_path: Path, result: str) -> None:
    report = Report()
    hooks = Hooks(written(tmp_path, f"def response_hook(event):\n    event.clear()\n    return {result}\n"))
    event = {"type": "message_stop"}
    assert hooks.response(event, report) == {"type": "message_stop"}
    assert report.codes == ["hook_failed"]


@pytest.mark.parametrize("kind", ["[]", "{}", "1", "null"])
async def test_an_event_of_a_strange_type_is_no_crash(tmp_path: Path, kind: str) -> None:
    async def script(request: Request, connection: Connection) -> None:
        await connection.head()
        for event in (
            '{"type":"message_start","message":{}}',
            f'{{"type":{kind}}}',
            '{"type":"message_stop"}',
        ):
            await connection.chunk(f"data: {event}\n\n".encode())
        await connection.end()

    code = "def response_hook(event):\n    return event\n"
    async with (
        running_upstream(script) as upstream,
        running_proxy([model(upstream.base, format="anthropic")], hooks=written(tmp_path, code)) as proxy,
    ):
        reply = await ask(proxy, {**BODY, "stream": True})
    assert reply.status == 200
    assert b"message_stop" in reply.body
    assert b"internal error" not in reply.body


async def test_a_request_hook_must_return_an_object(tmp_path: Path) -> None:
    report = Report()
    hooks = Hooks(written(tmp_path, "def request_hook(payload):\n    return 'x'\n"))
    assert await hooks.request({"a": 1}, b'{"a": 1}', report) == ({"a": 1}, b'{"a": 1}')
    assert report.codes == ["hook_failed"]


def test_a_slow_response_hook_is_named_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    code = "import time\ndef response_hook(event):\n    time.sleep(0.06)\n"
    hooks = Hooks(written(tmp_path, code))
    for _ in range(2):
        hooks.response({"type": "message_stop"}, Report())
    assert caplog.text.count("every stream waits for it") == 1


BAD = [
    ("def request_hook(:", "my_hooks.py:1: no valid Python"),
    ("raise RuntimeError('x')", "failed: RuntimeError: x"),
    ("x = 1", "has neither request_hook nor response_hook"),
    ("request_hook = 3", "request_hook is not a function"),
    ("async def response_hook(event): pass", "response_hook must be a plain function"),
]


@pytest.mark.parametrize(("code", "says"), BAD)
def test_a_bad_file(tmp_path: Path, code: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Hooks(written(tmp_path, code))
    assert says in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        compile_hooks(tmp_path / "nothing.py")
    models = tmp_path / "m.yaml"
    models.write_text("- {model_id: m, api_base: 'https://a.example'}\n")
    with pytest.raises(ConfigError, match=r"hooks: .*cannot be read"):
        serve(ServerSettings(models=models, hooks=tmp_path / "nothing.py"))


async def test_a_file_that_fails_when_it_runs_fails_the_start(tmp_path: Path) -> None:
    models = tmp_path / "m.yaml"
    models.write_text("- {model_id: m, api_base: 'https://a.example'}\n")
    app = App(ServerSettings(models=models, hooks=written(tmp_path, "raise RuntimeError('x')")))
    told: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        told.append(message)

    await app({"type": "lifespan"}, receive, send)
    assert told[0]["type"] == "lifespan.startup.failed"
    assert "RuntimeError: x" in told[0]["message"]
    assert pickle.loads(pickle.dumps(ServerSettings(models=models, hooks=models))).hooks == models


@pytest.mark.parametrize(
    ("choice", "tools", "kept", "left"),
    [
        ({"type": "auto"}, TOOLS, ["Read"], {"type": "auto"}),
        ({"type": "tool", "name": "WebSearch"}, TOOLS, ["Read"], None),
        ({"type": "any"}, TOOLS[1:], None, None),
    ],
)
@pytest.mark.parametrize(("form", "script"), PATHS)
async def test_drop_tools_needs_no_hook(
    form: str, script: Any, choice: Any, tools: Any, kept: Any, left: Any
) -> None:
    async with running_upstream(script) as upstream:
        entry = model(upstream.base, format=form, drop_tools=["WebS*"])
        async with running_proxy([entry]) as proxy:
            body = {**BODY, "tools": tools, "tool_choice": choice}
            reply = await ask(proxy, body, headers={"x-proxy-report": "1"})
    assert reply.status == 200
    sent = upstream.requests[0].json
    names = [tool.get("name") or tool["function"]["name"] for tool in sent.get("tools", [])]
    assert names == (kept or [])
    assert "tools" in sent or kept is None
    assert ("tool_choice" in sent) is (left is not None)
    assert "tool_dropped" in reply.headers["x-proxy-notices"]
