"""What is sent a second time as it is: a failure that often passes at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.server.byte_upstream import Connection, Request, running_upstream
from tests.server.harness import BODY, Reply, ask, model, running_proxy

if TYPE_CHECKING:
    from pathlib import Path

CRASHED = (500, {"error": {"message": "llama runner process has terminated: exit status 2"}})
BAD_CALL = (400, {"error": {"message": "Failed to call a function.", "code": "tool_use_failed"}})
NO_MEMORY = (500, {"error": "model requires more system memory (8.0 GiB) than is available (4.0 GiB)"})
UNPAID = (429, {"error": {"message": "Your account is not active", "code": "billing_not_active"}})
ANSWER = {"choices": [{"index": 0, "message": {"content": "hello"}, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    ("failure", "requests", "status"),
    [(CRASHED, 2, 500), (BAD_CALL, 2, 500), (NO_MEMORY, 1, 500), (UNPAID, 1, 402)],
)
async def test_a_failure_that_stays(failure: tuple[int, Any], requests: int, status: int) -> None:
    async def fail(_: Request, connection: Connection) -> None:
        await connection.whole(*failure)

    async with running_upstream(fail) as upstream, running_proxy([model(upstream.base)]) as proxy:
        reply = await ask(proxy, BODY)
        assert reply.status == status
        assert len(upstream.requests) == requests


@pytest.mark.parametrize("failure", [CRASHED, BAD_CALL])
async def test_a_failure_that_passes(failure: tuple[int, Any]) -> None:
    async def fail_once(_: Request, connection: Connection) -> None:
        await connection.whole(*(failure if len(upstream.requests) == 1 else (200, ANSWER)))

    async with running_upstream(fail_once) as upstream, running_proxy([model(upstream.base)]) as proxy:
        reply = await ask(proxy, BODY)
        assert reply.status == 200
        assert reply.json["content"] == [{"type": "text", "text": "hello"}]
        first, second = upstream.requests
        assert first.body == second.body


def said(request: Request, *, finish: str, reasoning: str = "", text: str = "") -> dict[str, Any]:
    """A whole response or a stream's chunk, in the format of the request."""
    key = "delta" if request.json.get("stream") else "message"
    message = {"reasoning_content": reasoning, "content": text}
    choice = {"index": 0, key: message, "finish_reason": finish}
    return {"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 7}}


async def say(request: Request, connection: Connection, **what: str) -> None:
    if not request.json.get("stream"):
        await connection.whole(200, said(request, **what))
        return
    await connection.head()
    await connection.event(said(request, **what))
    await connection.chunk(b"data: [DONE]\n\n")
    await connection.end()


def content_of(reply: Reply, *, stream: bool) -> list[str]:
    """The kinds of the answer's blocks, and why it stopped."""
    if not stream:
        return [*(block["type"] for block in reply.json["content"]), reply.json["stop_reason"]]
    assert reply.types[0] == "message_start"
    assert reply.types[-1] == "message_stop"
    starts = [event["content_block"]["type"] for event in reply.events if "content_block" in event]
    return [*starts, reply.events[-2]["delta"]["stop_reason"]]


THINKING = {"thinking": {"type": "enabled", "budget_tokens": 2048}, "max_tokens": 20_000}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("thinking", [True, False])
@pytest.mark.parametrize("hooks", [True, False])
async def test_reasoning_without_an_answer(stream: bool, thinking: bool, hooks: bool, tmp_path: Path) -> None:
    async def think_first(request: Request, connection: Connection) -> None:
        first = len(upstream.requests) == 1
        await say(request, connection, finish="stop", reasoning="hm", text="" if first else "hello")

    (tmp_path / "h.py").write_text("def response_hook(event):\n    return event\n")
    settings: dict[str, Any] = {"hooks": tmp_path / "h.py"} if hooks else {}
    body = {**BODY, **(THINKING if thinking else {}), "stream": stream}
    async with (
        running_upstream(think_first) as upstream,
        running_proxy([model(upstream.base)], **settings) as proxy,
    ):
        reply = await ask(proxy, body)
        first, second = upstream.requests
        assert first.body == second.body
        thoughts = ["thinking"] * (2 if stream else 1) if thinking else []
        assert content_of(reply, stream=stream) == [*thoughts, "text", "end_turn"]


@pytest.mark.parametrize("stream", [True, False])
async def test_reasoning_without_an_answer_twice(stream: bool) -> None:
    async def think(request: Request, connection: Connection) -> None:
        await say(request, connection, finish="stop", reasoning="hm")

    async with running_upstream(think) as upstream, running_proxy([model(upstream.base)]) as proxy:
        reply = await ask(proxy, {**BODY, **THINKING, "stream": stream})
        assert len(upstream.requests) == 2
        assert content_of(reply, stream=stream)[-2:] == ["text", "end_turn"]
        assert b"without an answer" in reply.body


@pytest.mark.parametrize("stream", [True, False])
async def test_reasoning_that_uses_up_a_small_limit_gets_room(stream: bool) -> None:
    async def think_long(request: Request, connection: Connection) -> None:
        if request.json["max_tokens"] > 64:
            await say(request, connection, finish="stop", reasoning="hm", text="no")
        else:
            await say(request, connection, finish="length", reasoning="hm")

    async with running_upstream(think_long) as upstream, running_proxy([model(upstream.base)]) as proxy:
        reply = await ask(proxy, {**BODY, "max_tokens": 64, "stream": stream})
        assert content_of(reply, stream=stream) == ["text", "end_turn"]
        assert [request.json["max_tokens"] for request in upstream.requests] == [64, 64 + 8192]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("passes", [True, False])
async def test_a_malformed_call(stream: bool, passes: bool) -> None:
    async def fail(request: Request, connection: Connection) -> None:
        if passes and len(upstream.requests) == 2:
            await say(request, connection, finish="stop", text="hello")
        else:
            await say(request, connection, finish="MALFORMED_FUNCTION_CALL")

    async with running_upstream(fail) as upstream, running_proxy([model(upstream.base)]) as proxy:
        reply = await ask(proxy, {**BODY, "stream": stream})
        assert len(upstream.requests) == 2
        if passes:
            assert content_of(reply, stream=stream) == ["text", "end_turn"]
        else:
            assert (reply.status, reply.json["error"]["type"]) == (500, "api_error")


@pytest.mark.parametrize("stream", [True, False])
async def test_the_second_request_may_fail(stream: bool) -> None:
    async def think_and_go(request: Request, connection: Connection) -> None:
        if len(upstream.requests) == 1:
            await say(request, connection, finish="stop", reasoning="hm")
        else:
            await connection.whole(429, {"error": {"message": "slow down"}})

    async with running_upstream(think_and_go) as upstream, running_proxy([model(upstream.base)]) as proxy:
        reply = await ask(proxy, {**BODY, **THINKING, "stream": stream})
        if stream:  # the client has seen the reasoning
            assert reply.types[-1] == "error"
            assert reply.events[-1]["error"]["type"] == "overloaded_error"
        else:
            assert reply.status == 429


async def test_what_the_client_has_seen_is_not_asked_for_again() -> None:
    async def fail_late(request: Request, connection: Connection) -> None:
        await say(request, connection, finish="MALFORMED_FUNCTION_CALL", text="I call")

    async with running_upstream(fail_late) as upstream, running_proxy([model(upstream.base)]) as proxy:
        reply = await ask(proxy, {**BODY, "stream": True})
        assert len(upstream.requests) == 1
        assert reply.types[-1] == "error"
