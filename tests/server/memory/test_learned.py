"""A refusal is corrected at once, and what it taught holds for the next requests."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from claude_code_proxy.config.models_yaml.learned_lines import entry_lines
from claude_code_proxy.config.models_yaml.models_file import load_models
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.server.memory.learned import MAX_MODELS, MAX_OF_KEYS, Learned
from tests.server.byte_upstream import Connection, Request, running_upstream, say_hello
from tests.server.harness import BODY, Proxy, ask, model, running_proxy

if TYPE_CHECKING:
    from pathlib import Path

    from claude_code_proxy.config.models_yaml.model import ModelConfig


def picky(**refuses: str) -> Any:
    """A provider that answers 400 with the text of the first of these fields that is there."""

    async def script(request: Request, connection: Connection) -> None:
        for field, message in refuses.items():
            if field in request.json:
                await connection.whole(400, {"error": {"message": message, "param": field}})
                return
        await say_hello(request, connection)

    return script


TEMPERATURE = "Unsupported value: 'temperature' does not support 0 with this model."
TOP_P = "Unsupported parameter: 'top_p' is not supported with this model."
LIMIT = "Unsupported parameter: 'max_tokens' is not supported with this model."
STOP = "Unsupported parameter: 'stop' is not supported with this model."
WISH = {**BODY, "temperature": 0, "top_p": 0.5, "stop_sequences": ["lo"]}


async def stats(proxy: Proxy) -> Any:
    return (await ask(proxy, None, method="GET", path="/v1/stats", key=None)).json["learned"]


async def test_an_image_that_is_too_large_does_not_end_the_session() -> None:
    async def script(request: Request, connection: Connection) -> None:
        if b"A" * 5000 in request.body:
            await connection.whole(400, {"error": {"message": "image exceeds the maximum of 4 KB: 7 KB"}})
        else:
            await say_hello(request, connection)

    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 7000}}
    body = {**BODY, "messages": [{"role": "user", "content": [{"type": "text", "text": "see"}, image]}]}
    async with running_upstream(script) as upstream, running_proxy([model(upstream.base)]) as proxy:
        replies = [await ask(proxy, body, headers={"x-proxy-report": "1"}) for _ in range(2)]
        learned = await stats(proxy)
    assert [reply.status for reply in replies] == [200, 200]
    assert all("image_omitted" in reply.headers["x-proxy-notices"] for reply in replies)
    assert len(upstream.requests) == 3
    assert "the model takes 4000" in upstream.requests[-1].body.decode()
    assert "image_max_bytes" in str(learned)


@pytest.mark.parametrize("stream", [False, True])
async def test_what_was_learned_holds_for_the_next_request(stream: bool) -> None:
    script = picky(temperature=TEMPERATURE, top_p=TOP_P, max_tokens=LIMIT)
    async with running_upstream(script) as upstream, running_proxy([model(upstream.base)]) as proxy:
        body = {**WISH, "stream": stream}
        first = await ask(proxy, body, headers={"x-proxy-report": "1"})
        tries = len(upstream.requests)
        second = await ask(proxy, body, headers={"x-proxy-report": "1"})
        learned = await stats(proxy)
    assert (first.status, second.status) == (200, 200)
    assert (tries, len(upstream.requests)) == (4, 5)
    assert "corrected" in first.headers["x-proxy-notices"]
    assert second.headers["x-proxy-notices"] == "param_dropped"
    assert learned == {
        "m": {"drop_params": ["temperature", "top_p"], "max_tokens_field": "max_completion_tokens"}
    }
    assert upstream.requests[-1].json["max_completion_tokens"] == 100


async def test_a_stop_sequence_that_is_refused_is_found_by_the_proxy() -> None:
    script = picky(stop=STOP)
    async with running_upstream(script) as upstream, running_proxy([model(upstream.base)]) as proxy:
        answers = [(await ask(proxy, WISH)).json for _ in range(2)]
    assert [(answer["stop_reason"], answer["stop_sequence"]) for answer in answers] == [
        ("stop_sequence", "lo")
    ] * 2
    assert all(answer["content"] == [{"type": "text", "text": "Hel"}] for answer in answers)


async def test_at_most_three_corrections() -> None:
    script = picky(temperature=TEMPERATURE, top_p=TOP_P, max_tokens=LIMIT, stop=STOP)
    async with running_upstream(script) as upstream, running_proxy([model(upstream.base)]) as proxy:
        refused = await ask(proxy, WISH)
        learned = await stats(proxy)
    assert refused.status == 400
    assert "'stop' is not supported" in refused.json["error"]["message"]
    assert len(upstream.requests) == 4
    assert learned == {}, "nothing is learned from corrections that did not lead to an answer"


async def test_a_refusal_that_quotes_the_caller_teaches_nothing() -> None:
    async def script(request: Request, connection: Connection) -> None:
        words = request.json["messages"][0]["content"]
        await connection.whole(400, {"error": {"message": f"bad message: {words}"}})

    async with running_upstream(script) as upstream, running_proxy([model(upstream.base)]) as proxy:
        content = "max_tokens: at most 2000, 'temperature' is not supported"
        body = {**BODY, "max_tokens": 9000, "messages": [{"role": "user", "content": content}]}
        assert (await ask(proxy, body)).status == 400
        assert await stats(proxy) == {}


async def test_a_field_of_extra_body_is_corrected_each_time() -> None:
    script = picky(temperature=TEMPERATURE)
    async with (
        running_upstream(script) as upstream,
        running_proxy([model(upstream.base, extra_body={"temperature": 0})]) as proxy,
    ):
        assert [(await ask(proxy)).status for _ in range(2)] == [200, 200]
    assert len(upstream.requests) == 4


async def test_an_overflow_is_lowered_for_this_request_only() -> None:
    async def script(request: Request, connection: Connection) -> None:
        asked = request.json["max_tokens"]
        if asked > 10_000:
            words = (
                f"This model's maximum context length is 32768 tokens. However, you requested {asked + 10000} "
                f"tokens (10000 in the messages, {asked} in the completion)."
            )
            await connection.whole(400, {"error": {"message": words}})
        elif asked > 8192:
            await connection.whole(400, {"error": {"message": "max_tokens: at most 8192"}})
        else:
            await say_hello(request, connection)

    async with running_upstream(script) as upstream, running_proxy([model(upstream.base)]) as proxy:
        big, small = {**BODY, "max_tokens": 32_000}, {**BODY, "max_tokens": 9000}
        assert (await ask(proxy, small)).status == 200
        assert await stats(proxy) == {"m": {"max_output": 8192}}
        assert (await ask(proxy, big)).status == 200
    assert [request.json["max_tokens"] for request in upstream.requests] == [9000, 8192, 8192]


@pytest.mark.parametrize(
    ("refusal", "shared"),
    [
        ("max_tokens: at most 8192", False),
        ("max_tokens is not supported on your plan, use max_completion_tokens", False),
        ("Unsupported parameter: 'max_tokens' is not supported with this model.", True),
    ],
)
async def test_one_accounts_limits_bind_no_other_key(refusal: str, shared: bool) -> None:
    async def script(request: Request, connection: Connection) -> None:
        poor = request.header("authorization") == "Bearer poor-account-1"
        if poor and request.json.get("max_tokens", 0) > 8192:
            await connection.whole(400, {"error": {"message": refusal}})
        else:
            await say_hello(request, connection)

    async with running_upstream(script) as upstream, running_proxy([model(upstream.base)]) as proxy:
        body = {**BODY, "max_tokens": 9000}
        for key in ("poor-account-1", "poor-account-1", "rich-account-2"):
            assert (await ask(proxy, body, key=key)).status == 200
    sent = [request.json.get("max_tokens") for request in upstream.requests]
    assert sent[-1] == (None if shared else 9000)


QUOTES = [
    (["supports at", "most 1024"], "bad stop: {}; above maximum value: supports at most 1024"),
    (["unsupported"], "'stop' is {}"),
    (["not allowed"], "{}: stop, parallel_tool_calls"),
    (["1024"], "max_tokens {}, at most 1024"),
    (["1,024"], "max_tokens: at most 1024 {}"),
    (["above maximum value: supports at most 1024"], "invalid stop {}"),
    (["deprecated"], "invalid 'temperature' or stop: {}"),
]


@pytest.mark.parametrize(("stops", "words"), QUOTES)
async def test_what_the_caller_wrote_teaches_nothing(stops: list[str], words: str) -> None:
    """However short it is, and although the request then passes."""
    refused: list[bool] = []

    async def script(request: Request, connection: Connection) -> None:
        if not refused:
            refused.append(True)
            quoted = ", ".join(map(repr, stops))
            await connection.whole(400, {"error": {"message": words.format(quoted)}})
        else:
            await say_hello(request, connection)

    async with running_upstream(script) as upstream, running_proxy([model(upstream.base)]) as proxy:
        body = {**BODY, "max_tokens": 9000, "temperature": 0.5, "stop_sequences": stops}
        await ask(proxy, body)
        assert await stats(proxy) == {}
        assert (await ask(proxy, body)).status == 200
    last = upstream.requests[-1].json
    assert (last["max_tokens"], last["temperature"], last["stop"]) == (9000, 0.5, stops)


def entries(path: Path, text: str) -> list[ModelConfig]:
    path.write_text(text)
    return list(load_models(path).models)


def test_an_edited_entry_starts_anew(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    (before,) = entries(path, "- {model_id: m, api_base: 'https://a.example'}\n")
    learned = Learned()
    learned.add(before, {"stream_usage": False}, "", of_the_api=True)
    learned.add(before, {"max_output": 5000}, "k", of_the_api=False)
    (same,) = entries(path, "- {model_id: m, api_base: 'https://a.example'}\n")
    (moved,) = entries(path, "- {model_id: m, api_base: 'https://b.example'}\n")
    (edited,) = entries(path, "- {model_id: m, api_base: 'https://a.example', max_tokens: 9k}\n")
    assert learned.profile(same, "k").max_output == 5000
    assert learned.profile(moved, "k").max_output is None
    assert learned.profile(edited, "k").max_output == 9000


def test_what_is_learned_is_bounded_and_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (wild,) = entries(
        tmp_path / "m.yaml", "- {model_id: 'x/*', model_name: '*', api_base: 'https://a.example'}\n"
    )
    learned = Learned()
    for number in range(MAX_MODELS + 5):
        learned.add(wild.concrete(f"x/{number}"), {"max_output": 5000}, "k", of_the_api=True)
    for number in range(MAX_OF_KEYS + 5):
        learned.add(wild.concrete("x/100"), {"context_window": 7000}, f"k{number}", of_the_api=False)
    assert len(learned._of_keys) == MAX_OF_KEYS
    assert len(learned.snapshot()) == MAX_MODELS
    assert "x/0" not in learned.snapshot()
    caplog.clear()
    learned.add(wild.concrete("x/100"), {"max_output": 5000}, "k", of_the_api=True)
    learned.add(wild.concrete("x/100"), {"max_output": 5000}, "k", of_the_api=False)
    learned.add(wild.concrete("x/100"), {"context_window": 7000}, "k1000", of_the_api=False)
    assert caplog.records == []
    learned.add(wild.concrete("x/100"), {"stream_usage": False}, "k", of_the_api=True)
    seen = learned.profile(wild.concrete("x/100"), "k1000")
    assert (seen.stream_usage, seen.context_window, seen.max_output) == (False, 7000, 5000)
    assert learned.profile(wild.concrete("x/100"), "k1000") is seen
    assert "x/100: learned stream_usage=False" in caplog.text
    assert learned.snapshot()["x/100"] == {
        "max_output": 5000,
        "stream_usage": False,
        "context_window": 7000,
    }


LESSONS: list[dict[str, Any]] = [
    {"max_output": 8192, "context_window": 32768},
    {"drop_params": ("temperature",), "stop_max": 0, "stream_usage": False},
    {"effort_values": (), "thinking_switch": "none", "tool_choice_thinking": "auto_none"},
    {"schema_dialect": "gemini", "structured_output": "json_object", "send_user": "none"},
]


@pytest.mark.parametrize("lesson", LESSONS)
def test_exported_lines_do_in_models_yaml_what_was_learned(tmp_path: Path, lesson: dict[str, Any]) -> None:
    received = json.loads(json.dumps(lesson))  # as /v1/stats sends it
    lines = entry_lines("odd:m", {**received, "from_a_newer_server": 1})
    (entry,) = yaml.safe_load(lines)
    entry["api_base"] = "https://a.example"
    (config,) = entries(tmp_path / "m.yaml", yaml.safe_dump([entry]))
    assert config.model_id == "odd:m"
    assert {key: getattr(config.profile, key) for key in lesson} == lesson
    assert config.profile != Profile()


async def test_models_learned_asks_the_running_server() -> None:
    script = picky(temperature=TEMPERATURE)

    async def command(*arguments: str) -> tuple[int | None, str, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "claude_code_proxy",
            "models",
            "--learned",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, error = await process.communicate()
        return process.returncode, out.decode(), error.decode()

    async with running_upstream(script) as upstream, running_proxy([model(upstream.base)]) as proxy:
        code, out, error = await command("--url", proxy.base)
        assert (code, out) == (0, "")
        assert "has learned nothing so far" in error
        await ask(proxy, {**BODY, "temperature": 0})
        code, out, _ = await command("--port", str(proxy.port))
        assert (code, yaml.safe_load(out)) == (0, [{"model_id": "m", "drop_params": ["temperature"]}])
        code, out, _ = await command("--json", "--url", f"{proxy.base}/")
        assert json.loads(out)["learned"] == {"m": {"drop_params": ["temperature"]}}
        code, out, error = await command("--url", upstream.base)
        assert (code, out) == (1, "")
    code, out, error = await command("--url", "http://127.0.0.1:1")
    assert (code, out) == (1, "")
    assert "no claude-code-proxy answers at http://127.0.0.1:1" in error
