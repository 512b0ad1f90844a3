"""Requests with `safeguards`: who judges, what the client gets, and that nothing unjudged gets through."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.core import sealed_keys
from claude_code_proxy.core.auto_mode.policy import POLICY
from tests.server.byte_upstream import Connection, Request, Upstream, running_upstream
from tests.server.harness import BODY, KEY, Client, Proxy, Reply, ask, eventually, model, running_proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CONTEXT = {"v": 1, "live_cwd": "/w", "auto_mode": {"soft_deny": ["no deploys"]}}
GUARDED = {
    **BODY,
    "tools": [{"name": "Bash", "input_schema": {"type": "object"}}],
    "safeguards": [{"type": "dangerous_tool_use", "classifier_context": CONTEXT}],
}
BETA = {"anthropic-beta": "dangerous-tool-use-2026-09-03,other-1"}
ALLOWED = {"type": "evaluated", "outcome": "not_flagged"}
USAGE = {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}


class Provider:
    """The model makes `calls`, the judge says `verdict`; `judged` are the requests to the judge."""

    def __init__(self, verdict: str = "ALLOW 1", calls: int = 1, status: int = 200) -> None:
        self.verdict = verdict
        self.calls = calls
        self.status = status
        self.judged: list[Request] = []
        self.asked: list[Request] = []
        self.waits = asyncio.Event()
        self.waits.set()

    async def __call__(self, request: Request, connection: Connection) -> None:
        if POLICY[:40].encode() not in request.body:
            self.asked.append(request)
            if request.path.startswith("/v1/messages"):
                await self._native(request, connection)
            else:
                await self._chat(request, connection)
            return
        self.judged.append(request)
        await self.waits.wait()
        if request.path.startswith("/v1/messages"):
            content = [{"type": "text", "text": self.verdict}]
            answer = {"type": "message", "content": content, "usage": {"input_tokens": 1, "output_tokens": 1}}
            await connection.whole(self.status, answer)
        else:
            choice = {"index": 0, "finish_reason": "stop", "message": {"content": self.verdict}}
            await connection.whole(self.status, {"choices": [choice], "usage": USAGE})

    @property
    def _made(self) -> list[tuple[str, dict[str, str]]]:
        return [(f"call_{number}", {"command": f"make {number}"}) for number in range(self.calls)]

    async def _chat(self, request: Request, connection: Connection) -> None:
        calls = [
            {
                "index": at,
                "id": one,
                "type": "function",
                "function": {"name": "Bash", "arguments": json.dumps(value)},
            }
            for at, (one, value) in enumerate(self._made)
        ]
        if not request.json.get("stream"):
            message = {"role": "assistant", "content": "I will.", "tool_calls": calls}
            choice = {"index": 0, "finish_reason": "tool_calls", "message": message}
            await connection.whole(200, {"choices": [choice], "usage": USAGE})
            return
        await connection.head()
        await connection.event({"choices": [{"index": 0, "delta": {"content": "I will."}}]})
        for call in calls:
            await connection.event({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]})
        await connection.event(
            {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}], "usage": USAGE}
        )
        await connection.end()

    async def _native(self, request: Request, connection: Connection) -> None:
        blocks = [
            {"type": "tool_use", "id": one, "name": "Bash", "input": value} for one, value in self._made
        ]
        message = {
            "type": "message",
            "role": "assistant",
            "model": "m",
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
        if not request.json.get("stream"):
            await connection.whole(200, {**message, "content": blocks, "stop_reason": "tool_use"})
            return
        await connection.head()
        events: list[dict[str, Any]] = [{"type": "message_start", "message": {**message, "content": []}}]
        for at, block in enumerate(blocks):
            piece = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
            events += [
                {"type": "content_block_start", "index": at, "content_block": {**block, "input": {}}},
                {"type": "content_block_delta", "index": at, "delta": piece},
                {"type": "content_block_stop", "index": at},
            ]
        delta = {"stop_reason": "tool_use", "stop_sequence": None}
        events += [
            {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 1}},
            {"type": "message_stop"},
        ]
        for event in events:
            await connection.chunk(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
        await connection.end()


@asynccontextmanager
async def world(
    provider: Provider, settings: dict[str, Any] | None = None, **own: Any
) -> AsyncIterator[tuple[Proxy, Upstream]]:
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(running_upstream(provider))
        entries = [
            model(upstream.base, **own),
            model(upstream.base) | {"model_id": "judge", "model_name": "j"},
            model(upstream.base) | {"model_id": "native", "model_name": "n", "format": "anthropic"},
            model("http://127.0.0.1:1") | {"model_id": "nowhere"},
        ]
        yield (
            await stack.enter_async_context(running_proxy(entries, max_retries=0, **(settings or {}))),
            upstream,
        )


def results(reply: Reply, *, stream: bool) -> dict[str, Any]:
    """What the answer says of its calls, by their ids."""
    assert reply.status == 200, reply.body
    if stream:
        deltas = [event["delta"] for event in reply.events if event["type"] == "message_delta"]
        (found,) = [delta["safeguard_results"] for delta in deltas if "safeguard_results" in delta]
        assert deltas[-1]["safeguard_results"] == found
        assert reply.types[-1] == "message_stop"
    else:
        found = reply.json["safeguard_results"]
    (one,) = found
    assert one["type"] == "dangerous_tool_use"
    status: dict[str, Any] = one["status"]
    return status


def ids(reply: Reply, *, stream: bool) -> list[str]:
    if not stream:
        return [block["id"] for block in reply.json["content"] if block["type"] == "tool_use"]
    starts = [event["content_block"] for event in reply.events if event["type"] == "content_block_start"]
    return [block["id"] for block in starts if block["type"] == "tool_use"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
@pytest.mark.parametrize("judge", [None, "judge", "native"])
async def test_a_judge_is_asked(judge: str | None, protocol: str, stream: bool) -> None:
    provider = Provider("ALLOW 1\nBLOCK 2 soft_deny.0: that deploys", calls=2)
    own: dict[str, Any] = {"safety_model": judge} if judge else {}
    async with world(provider, format=protocol, **own) as (proxy, _):
        reply = await ask(proxy, GUARDED | {"stream": stream}, headers=BETA | {"x-proxy-report": "1"})
        stats = (await ask(proxy, None, method="GET", path="/v1/stats")).json
    flagged = {"type": "evaluated", "outcome": "flagged", "explanation": "that deploys"}
    flagged["cited_rule"] = {"type": "classifier_context", "path": "auto_mode.soft_deny.0"}  # type: ignore[assignment]
    status = results(reply, stream=stream)
    made = ids(reply, stream=stream)
    assert status == {"type": "available", "tool_uses": dict(zip(made, [ALLOWED, flagged], strict=True))}
    assert "safeguards_emulated" in reply.headers["x-proxy-notices"]
    (asked,) = provider.judged
    assert asked.json["model"] == {None: "m", "judge": "j", "native": "n"}[judge]
    assert asked.header("authorization") == f"Bearer {KEY}"
    assert "make 1" in asked.body.decode()
    (main,) = provider.asked
    assert b"safeguards" not in main.body
    assert "dangerous" not in (main.header("anthropic-beta") or "")
    assert stats["model_usage_count"] == ({"m": 2} if judge is None else {"m": 1, judge: 1})


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("provider", "own", "why"),
    [
        (
            {"verdict": "I think that is fine."},
            {},
            'm gave no verdict that can be read: "I think that is fine."',
        ),
        ({"verdict": ""}, {"safety_model": "native"}, 'native gave no verdict that can be read: "nothing"'),
        ({"status": 500}, {"safety_model": "judge"}, "judge cannot be asked"),
        ({"status": 400}, {"safety_model": "native"}, "native cannot be asked: its provider returned 400"),
        ({}, {"safety_model": "nowhere"}, "nowhere cannot be asked: the request has no key for its address"),
    ],
)
async def test_nobody_could_judge(provider: Any, own: Any, why: str, stream: bool) -> None:
    async with world(Provider(**provider), **own) as (proxy, _):
        reply = await ask(proxy, GUARDED | {"stream": stream})
    status = results(reply, stream=stream)
    (verdict,) = status["tool_uses"].values()
    assert (status["type"], verdict["outcome"]) == ("available", "flagged")
    assert why in verdict["explanation"]
    assert KEY not in verdict["explanation"]


async def test_an_address_that_is_dead() -> None:
    async with world(Provider(), safety_model="nowhere") as (proxy, upstream):
        sealed = sealed_keys.seal({upstream.base: KEY, "http://127.0.0.1:1": KEY})
        reply = await ask(proxy, GUARDED, headers={sealed_keys.HEADER: sealed})
    (verdict,) = results(reply, stream=False)["tool_uses"].values()
    assert verdict["outcome"] == "flagged"
    assert "nowhere cannot be asked" in verdict["explanation"]


@pytest.mark.parametrize("stream", [False, True])
async def test_the_deadline(stream: bool) -> None:
    provider = Provider()
    provider.waits.clear()
    async with world(provider, {"safety_timeout": 0.2}) as (proxy, _):
        reply = await ask(proxy, GUARDED | {"stream": stream})
        provider.waits.set()
    (verdict,) = results(reply, stream=stream)["tool_uses"].values()
    assert verdict["explanation"].endswith("m did not answer within 0.2 s")


async def test_all_but_the_end_goes_out_while_the_judge_thinks() -> None:
    """And a client that leaves meanwhile ends the judge's request too."""
    provider = Provider()
    provider.waits.clear()
    async with world(provider) as (proxy, _):
        client = await Client.connect(proxy)
        await client.send(GUARDED | {"stream": True})
        await client.head()
        seen = b""
        while b"content_block_stop" not in seen or b"input_json_delta" not in seen:
            seen += await client.chunk()
        await eventually(lambda: provider.judged)
        assert b"message_delta" not in seen.split(b"input_json_delta")[1]
        client.close()
        await eventually(lambda: proxy.gateway.in_flight == 0)
        provider.waits.set()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("provider", "own", "status"),
    [
        ({"calls": 0}, {}, {"type": "available", "tool_uses": {}}),
        ({}, {"safety_model": "off"}, {"type": "unsupported"}),
        ({}, {"safety_model": False}, {"type": "unsupported"}),
    ],
)
async def test_nobody_is_asked(provider: Any, own: Any, status: Any, stream: bool) -> None:
    provider = Provider(**provider)
    async with world(provider, **own) as (proxy, _):
        reply = await ask(proxy, GUARDED | {"stream": stream})
    assert results(reply, stream=stream) == status
    assert provider.judged == []


@pytest.mark.parametrize("safeguards", [[], [{"type": "other"}], "x"])
async def test_other_safeguards_change_nothing(safeguards: Any) -> None:
    provider = Provider()
    async with world(provider, format="anthropic") as (proxy, _):
        reply = await ask(proxy, GUARDED | {"safeguards": safeguards}, headers=BETA)
    assert "safeguard_results" not in reply.json
    assert provider.asked[0].json["safeguards"] == safeguards
    assert provider.asked[0].header("anthropic-beta") == BETA["anthropic-beta"]


async def test_an_answer_that_fails_has_no_results() -> None:
    async def breaks(_: Request, connection: Connection) -> None:
        await connection.head()
        await connection.event({"choices": [{"index": 0, "delta": {"content": "Hel"}}]})
        await connection.end()

    async def refuses(_: Request, connection: Connection) -> None:
        await connection.whole(400, {"error": {"message": "no"}})

    for script in (breaks, refuses):
        async with running_upstream(script) as upstream, running_proxy([model(upstream.base)]) as proxy:
            for stream in (False, True):
                reply = await ask(proxy, GUARDED | {"stream": stream})
                assert b"safeguard_results" not in reply.body
                assert b'"type":"error"' in reply.body


async def test_a_subagents_task_is_no_persons_word() -> None:
    provider = Provider()
    async with world(provider) as (proxy, _):
        await ask(proxy, GUARDED, headers={"x-claude-code-agent-id": "a1"})
    assert '{"parent":"hi"}' in provider.judged[0].json["messages"][1]["content"]
