"""Mistakes that other programs were reported for and that need a server to be seen; the others are in tests/core."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.server.byte_upstream import Connection, Request, running_upstream, say_hello, text_chunk
from tests.server.harness import BODY, ask, model, running_proxy


async def test_02_an_upstreams_own_words_pass_unchanged() -> None:
    """Claude Code looks for them, and sends the rest of the conversation without system messages."""
    words = "messages.1.role: 'system' is not supported here, expected user or assistant"
    body = json.dumps({"type": "error", "error": {"type": "invalid_request_error", "message": words}})

    async def refuse(request: Request, connection: Connection) -> None:
        await connection.whole(400, body.encode())

    async with (
        running_upstream(refuse) as upstream,
        running_proxy([model(upstream.base, format="anthropic")]) as proxy,
    ):
        reply = await ask(proxy, BODY)
    assert (reply.status, reply.body) == (400, body.encode())


EDITS = {
    "edits": [
        {"type": "clear_thinking_20251015", "keep": "all"},
        {"type": "clear_tool_uses_20250919", "trigger": {"type": "input_tokens", "value": 30_000}},
    ]
}


@pytest.mark.parametrize("edits", [EDITS["edits"], EDITS["edits"][:1]])
async def test_19_without_thinking_there_is_none_to_clear(edits: list[Any]) -> None:
    async with running_upstream(say_hello) as upstream:
        entry = model(upstream.base, format="anthropic", drop_fields=["thinking"])
        async with running_proxy([entry]) as proxy:
            thinking = {"type": "adaptive"}
            await ask(proxy, {**BODY, "thinking": thinking, "context_management": {"edits": edits}})
            await ask(proxy, {**BODY, "context_management": EDITS})
    dropped, untouched = (request.json for request in upstream.requests)
    assert "thinking" not in dropped
    assert dropped.get("context_management") == ({"edits": edits[1:]} if edits[1:] else None)
    assert untouched["context_management"] == EDITS, (
        "what the client wrote without thinking is its own affair"
    )


async def test_29_the_size_suffix_is_no_part_of_the_name() -> None:
    async with running_upstream(say_hello) as upstream, running_proxy([model(upstream.base)]) as proxy:
        reply = await ask(proxy, {**BODY, "model": "m[1m]"})
    assert upstream.requests[0].json["model"] == "m"
    assert reply.json["model"] == "m[1m]"


async def test_30_a_stream_nobody_asked_for_becomes_one_message() -> None:
    async def stream(request: Request, connection: Connection) -> None:
        assert request.json.get("stream", False) is False
        await connection.head()
        for words in ("Hel", "lo"):
            await connection.event(text_chunk(words))
        await connection.event(text_chunk(finish="stop"))
        await connection.chunk(b"data: [DONE]\n\n")
        await connection.end()

    async with running_upstream(stream) as upstream, running_proxy([model(upstream.base)]) as proxy:
        reply = await ask(proxy, BODY)
    assert reply.headers["content-type"] == "application/json"
    assert reply.json["content"] == [{"type": "text", "text": "Hello"}]


async def test_30_a_whole_answer_where_a_stream_was_asked_for_is_streamed() -> None:
    async def answer(request: Request, connection: Connection) -> None:
        choice = {"message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
        await connection.whole(200, {"object": "chat.completion", "choices": [choice]})

    async with running_upstream(answer) as upstream, running_proxy([model(upstream.base)]) as proxy:
        reply = await ask(proxy, {**BODY, "stream": True})
    assert reply.types[0] == "message_start"
    assert reply.types[-1] == "message_stop"
