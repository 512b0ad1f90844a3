"""What was captured, run again: the same comes out, plain and with filler for texts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.server.capture.differences import differences
from claude_code_proxy.server.capture.replay import read_capture, replay_live, replay_offline
from tests.core import cases
from tests.server.byte_upstream import Connection, Request, running_upstream, say_hello, text_chunk
from tests.server.harness import BODY, KEY, ask, eventually, model, running_proxy

if TYPE_CHECKING:
    from tests.server.byte_upstream import Script

SETTINGS = ServerSettings(models=Path("none.yaml"))
STREAM = {**BODY, "stream": True, "top_k": 5}
TEMPERATURE = "Unsupported parameter: 'temperature' is not supported with this model."


async def captured(
    folder: Path, script: Script, body: Any, *, redact: bool = False, more: Any = None, **settings: Any
) -> dict[str, Any]:
    async with running_upstream(script) as upstream:
        entries = [model(upstream.base, **(more or {})), model(upstream.base, model_id="n", model_name="n2")]
        async with running_proxy(entries, capture=folder, redact=redact, **settings) as proxy:
            await ask(proxy, body)
            assert proxy.gateway.captures is not None
            await eventually(proxy.gateway.captures.names)
    (document,) = documents(folder)
    return document


def documents(folder: Path) -> list[dict[str, Any]]:
    return [read_capture(file) for file in sorted(folder.iterdir())]


def sends(*pieces: bytes) -> Script:
    async def script(_: Request, connection: Connection) -> None:
        await connection.head()
        for piece in pieces:
            await connection.chunk(piece)
        await connection.end()

    return script


async def refuse_temperature(request: Request, connection: Connection) -> None:
    if "temperature" in request.json:
        await connection.whole(400, {"error": {"message": TEMPERATURE, "param": "temperature"}})
    else:
        await say_hello(request, connection)


async def break_off(_: Request, connection: Connection) -> None:
    await connection.head()
    await connection.event(text_chunk("Hel"))
    connection.reset()


async def fail_as_m(request: Request, connection: Connection) -> None:
    if request.json["model"] == "n2":
        await say_hello(request, connection)
    else:
        await connection.whole(429, {"error": {"message": "too many requests"}})


async def native(request: Request, connection: Connection) -> None:
    text = {"type": "text", "text": "Hello you"}
    message: Any = {"id": "msg_1", "type": "message", "role": "assistant", "model": "real", "content": [text]}
    message["usage"] = {"input_tokens": 3, "output_tokens": 2}
    assert "top_k" not in request.json
    await connection.whole(200, message, content_type="application/json")


NATIVE = {"format": "anthropic", "model_name": "real", "drop_fields": ["top_k"]}


@pytest.mark.parametrize("redact", [False, True])
@pytest.mark.parametrize(
    ("script", "body", "more"),
    [
        (say_hello, STREAM, {}),
        (say_hello, BODY, {}),
        (say_hello, STREAM, {"profile": "openrouter", "effort": "high"}),
        (say_hello, STREAM, {"can_stream": False}),
        (refuse_temperature, {**STREAM, "temperature": 0.5}, {}),
        (break_off, STREAM, {}),
        (fail_as_m, STREAM, {"fallback": ["n"]}),
        (native, {**BODY, "top_k": 3}, NATIVE),
    ],
    ids=["stream", "whole", "profile", "no stream", "correction", "cut", "fallback", "native"],
)
async def test_the_same_comes_out(
    tmp_path: Path, script: Script, body: Any, more: dict[str, Any], redact: bool
) -> None:
    capture = await captured(tmp_path, script, body, redact=redact, more=more)
    again = await replay_offline(capture, SETTINGS)
    assert differences(capture, again) == []
    assert again["record"]["status"] == capture["record"]["status"]
    byte_by_byte = await replay_offline(
        capture, SETTINGS, lambda data: [data[at : at + 1] for at in range(len(data))]
    )
    assert differences(capture, byte_by_byte) == []


@pytest.mark.parametrize("path", cases.case_files("stream"), ids=lambda path: path.stem)
async def test_streams_with_filler_convert_to_the_same_with_filler(tmp_path: Path, path: Path) -> None:
    case = cases.load(path)
    if "text_tool" in path.stem or path.stem in ("stop_local", "tool_object_superseded"):
        pytest.skip("what becomes of these hangs on words and numbers")
    body = {**case["anthropic_request"], "model": "m"}
    more = {
        "profile": {key: value for key, value in case["model_config"].items() if key in cases.PROFILE_KEYS}
    }
    capture = await captured(tmp_path, sends(*cases.chunks_of(case)), body, redact=True, more=more)
    assert differences(capture, await replay_offline(capture, SETTINGS)) == []


async def test_no_connection(tmp_path: Path) -> None:
    async with running_proxy([model("http://127.0.0.1:1")], capture=tmp_path, max_retries=0) as proxy:
        await ask(proxy, STREAM)
    (capture,) = documents(tmp_path)
    again = await replay_offline(capture, replace(SETTINGS, max_retries=0))
    assert again["answer"]["status"] == 502


async def test_what_was_learned_is_known_again(tmp_path: Path) -> None:
    body = {**STREAM, "temperature": 0.5}
    async with (
        running_upstream(refuse_temperature) as upstream,
        running_proxy([model(upstream.base)], capture=tmp_path) as proxy,
    ):
        await ask(proxy, body)
        await ask(proxy, body)
    first, second = documents(tmp_path)
    assert [len(one["upstream"]) for one in (first, second)] == [2, 1]
    for capture in (first, second):
        assert differences(capture, await replay_offline(capture, SETTINGS)) == []


async def test_another_converter_shows(tmp_path: Path) -> None:
    capture = await captured(tmp_path, say_hello, STREAM)
    capture["models"][0]["profile"] = {"max_tokens_field": "max_completion_tokens"}
    capture["notices"] = []
    text = "\n".join(differences(capture, await replay_offline(capture, SETTINGS)))
    assert '+ "max_completion_tokens": 100' in text
    assert "--- notices as captured" in text
    assert "answer" not in text


async def test_asking_another_model(tmp_path: Path) -> None:
    async def shout(request: Request, connection: Connection) -> None:
        assert request.header("authorization") == f"Bearer {KEY}"
        await connection.head()
        await connection.event(text_chunk(f"I AM {request.json['model']}"))
        await connection.event(text_chunk(None, "stop"))
        await connection.end()

    capture = await captured(tmp_path, say_hello, STREAM)
    async with running_upstream(shout) as upstream:
        models = tmp_path / "models.yaml"
        models.write_text(json.dumps([model(upstream.base, model_id="o", model_name="other")]))
        settings = replace(SETTINGS, models=models)
        by_name = await replay_live(capture, settings, model="o", against=None, key=KEY)
        by_url = await replay_live(capture, SETTINGS, model="third", against=upstream.base, key=KEY)
        same = await replay_live(capture, SETTINGS, model=None, against=upstream.base, key=KEY)
    assert by_name["record"]["model"] == "o"
    texts = ["\n".join(differences(capture, made)) for made in (by_name, by_url, same)]
    for text, name in zip(texts, ("other", "third", "m"), strict=True):
        assert f"I AM {name}" in text
    assert KEY not in json.dumps([by_name, by_url, same])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not valid JSON"),
        ("[]", "is no capture"),
        ('{"version": 99, "request": {}, "upstream": [], "models": []}', "newer version"),
        (
            '{"version": 1, "request": {}, "upstream": [], "models": [], "truncated": true}',
            "missing required field",
        ),
    ],
)
async def test_files_that_are_no_captures(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=says):
        read_capture(file)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"truncated": True}, "no room"),
        ({"request": []}, r"Expected `object`, got `array` - at `\$.request`"),
        ({"upstream": [{}]}, "missing required field"),
        ({"answer": {"status": "200", "headers": {}, "chunks": []}}, r"at `\$.answer.status`"),
    ],
)
async def test_captures_that_somebody_changed(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    capture = await captured(tmp_path, say_hello, STREAM)
    file = tmp_path / "changed.json"
    file.write_text(json.dumps(capture | change))
    with pytest.raises(ConfigError, match=says):
        read_capture(file)


async def test_nobody_can_be_asked(tmp_path: Path) -> None:
    capture = await captured(tmp_path, say_hello, STREAM)
    models = tmp_path / "models.yaml"
    models.write_text("- {model_id: o, api_base: 'http://127.0.0.1:1'}")
    settings = replace(SETTINGS, models=models)
    with pytest.raises(ConfigError, match="nobody was asked: "):
        await replay_live(capture, settings, model="planted", against=None, key=KEY)
    with pytest.raises(ConfigError, match=r"--against: it must start with https:// or http://"):
        await replay_live(capture, settings, model=None, against="localhost:1/v1", key=KEY)
    capture["request"]["body"] = "text"
    with pytest.raises(ConfigError, match="names no model"):
        await replay_offline(capture, SETTINGS)


async def test_what_a_conversion_says_itself_is_filler_on_both_sides(tmp_path: Path) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "aW1hZ2U="}
    call = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
    result = {
        "type": "tool_result",
        "tool_use_id": "toolu_1",
        "content": [{"type": "image", "source": source}],
    }
    messages = [
        *STREAM["messages"],
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]},
    ]
    capture = await captured(tmp_path, say_hello, {**STREAM, "messages": messages}, redact=True)
    assert differences(capture, await replay_offline(capture, SETTINGS))
    assert differences(capture, await replay_offline(capture, SETTINGS, redact=True)) == []


async def test_nobody_served_it() -> None:
    with pytest.raises(ConfigError, match="no model served"):
        await replay_offline({"models": [], "request": {}}, SETTINGS)
