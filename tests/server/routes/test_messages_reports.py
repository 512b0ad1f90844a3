"""What a user sees of a request that was changed or refused: the report, and errors that can be acted on."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from tests.server.byte_upstream import Connection, Request, running_upstream, say_hello
from tests.server.harness import BODY, KEY, ask, model, running_proxy

CHANGED = {**BODY, "top_k": 3, "cache_control": {"type": "ephemeral"}}


def refuses(status: int, body: Any, **headers: str) -> Any:
    async def script(request: Request, connection: Connection) -> None:
        await connection.whole(status, body, **headers)

    return script


async def test_the_log_says_each_code_once_per_session(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "claude_code_proxy")
    async with running_upstream(say_hello) as upstream, running_proxy([model(upstream.base)]) as proxy:
        for session in ("one", "one", "two", "one"):
            await ask(proxy, CHANGED, headers={"x-claude-code-session-id": session})
    told = [record.message for record in caplog.records if "top_k" in record.message]
    assert told == ["m: top_k dropped at top_k: the provider has no such parameter"] * 2
    assert "cache_control" not in caplog.text, "what has no effect is for the debug level"


@pytest.mark.parametrize("stream", [False, True])
async def test_the_codes_come_in_a_header_when_asked(stream: bool) -> None:
    async with running_upstream(say_hello) as upstream, running_proxy([model(upstream.base)]) as proxy:
        asked = await ask(proxy, {**CHANGED, "stream": stream}, headers={"x-proxy-report": "1"})
        not_asked = await ask(proxy, {**CHANGED, "stream": stream})
    assert asked.headers["x-proxy-notices"] == "top_k"
    assert "x-proxy-notices" not in not_asked.headers
    assert upstream.requests[0].header("x-proxy-report") is None


async def test_an_unknown_model_lists_near_names() -> None:
    models = [model("http://127.0.0.1:1", model_id=name) for name in ("kimi-k2.6", "kimi-k3", "gpt-4.1")]
    async with running_proxy(models) as proxy:
        reply = await ask(proxy, {**BODY, "model": "kimi-k2"})
    assert (reply.status, reply.json["error"]["type"]) == (404, "not_found_error")
    message = reply.json["error"]["message"]
    assert message.startswith("model: kimi-k2 is not configured")
    assert "'kimi-k2.6' or 'kimi-k3'" in message


async def test_a_model_that_the_upstream_does_not_know_lists_near_names_too() -> None:
    said = {"error": {"message": "The model `kimi-k2` does not exist", "code": "model_not_found"}}
    async with running_upstream(refuses(404, said)) as upstream:
        models = [model(upstream.base, model_id=name) for name in ("kimi-k2", "kimi-k2.6", "gpt-4.1")]
        async with running_proxy(models) as proxy:
            reply = await ask(proxy, {**BODY, "model": "kimi-k2"})
    assert reply.status == 404
    assert reply.json["error"]["message"] == (
        "model: kimi-k2 - The model `kimi-k2` does not exist; near names in models.yaml: kimi-k2.6"
    )


async def test_a_404_of_something_else_is_no_404() -> None:
    async with (
        running_upstream(refuses(404, {"detail": "Not Found"})) as upstream,
        running_proxy([model(upstream.base)]) as proxy,
    ):
        reply = await ask(proxy)
    assert (reply.status, reply.json["error"]["type"]) == (500, "api_error")
    assert "does not have this endpoint: check `api_base`" in reply.json["error"]["message"]


async def test_a_wrong_key_says_whose_and_where() -> None:
    said = {"error": {"message": f"Incorrect API key provided: {KEY}", "code": "invalid_api_key"}}
    async with (
        running_upstream(refuses(400, said)) as upstream,
        running_proxy([model(upstream.base)]) as proxy,
    ):
        reply = await ask(proxy)
    assert (reply.status, reply.json["error"]["type"]) == (401, "authentication_error")
    message = reply.json["error"]["message"]
    assert message.startswith("Incorrect API key provided: [key] ")
    assert (
        f"the upstream at {upstream.base} refused the API key; it is the key sent with this request"
        in message
    )
    assert reply.headers["x-should-retry"] == "false"
    assert KEY not in str(reply)


async def test_the_time_to_wait_survives() -> None:
    said = {"error": {"message": "slow down"}}
    async with (
        running_upstream(refuses(429, said, retry_after="7")) as upstream,
        running_proxy([model(upstream.base)]) as proxy,
    ):
        reply = await ask(proxy)
    assert (reply.status, reply.headers["retry-after"]) == (429, "7")


async def test_an_overflow_after_the_answer_began_has_numbers() -> None:
    async def script(request: Request, connection: Connection) -> None:
        await connection.head()
        await asyncio.sleep(0.3)
        await connection.event({"error": {"message": f"Your input exceeds the context window. {KEY}"}})
        await connection.end()

    async with (
        running_upstream(script) as upstream,
        running_proxy([model(upstream.base, context=10)], hold=0.05) as proxy,
    ):
        messages = [{"role": "user", "content": "many words " * 50}]
        reply = await ask(proxy, {**BODY, "messages": messages, "stream": True})
    assert reply.status == 200
    message = reply.events[-1]["error"]["message"]
    assert message.startswith("prompt is too long: ")
    assert message.endswith(" tokens > 10 maximum")


async def test_a_key_that_is_quoted_inside_a_stream_is_masked() -> None:
    async def script(request: Request, connection: Connection) -> None:
        await connection.head()
        await connection.event({"choices": [{"index": 0, "delta": {"content": "Hi"}}]})
        await connection.event({"error": {"message": f"no such key: {KEY}"}})
        await connection.end()

    async with running_upstream(script) as upstream, running_proxy([model(upstream.base)]) as proxy:
        reply = await ask(proxy, {**BODY, "stream": True})
    assert reply.types[-1] == "error"
    assert KEY.encode() not in reply.body
    assert b"[key]" in reply.body
