"""Upstreams that send more than anybody should hold, for longer than anybody should wait, or nonsense."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.core.repeats import RepeatingConverter
from claude_code_proxy.server.passthrough.native_stream import NativeStream
from tests.server.byte_upstream import running_upstream, text_chunk
from tests.server.harness import BODY, Client, ask, eventually, model, running_proxy

if TYPE_CHECKING:
    from tests.server.byte_upstream import Connection, Request

STREAM = {**BODY, "stream": True}


@pytest.mark.parametrize(
    ("limits", "status", "says"),
    [
        ({"max_stream_bytes": 20_000}, 502, "max_stream_bytes"),
        ({"answer_timeout": 0.3}, 504, "answer_timeout"),
    ],
)
@pytest.mark.parametrize("kind", ["openai", "anthropic"])
async def test_an_endless_answer_ends(limits: dict[str, Any], status: int, says: str, kind: str) -> None:
    async def endless(request: Request, connection: Connection) -> None:
        await connection.head()
        while True:
            if kind == "openai":
                await connection.event(text_chunk("x" * 100))
            else:
                await connection.chunk(b"event: ping\ndata: {}\n\n")
            await asyncio.sleep(0.001)

    async with running_upstream(endless) as upstream:  # noqa: SIM117 - the proxy asks it
        async with running_proxy([model(upstream.base, format=kind)], **limits) as proxy:
            reply = await asyncio.wait_for(ask(proxy, STREAM), 20)
    if reply.status == 200:
        error = json.loads(reply.body.rpartition(b"data: ")[2])
    else:
        assert reply.status == status
        error = reply.json
    assert error["type"] == "error"
    assert says in error["error"]["message"]


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
@pytest.mark.parametrize("head", ["600 Odd", "999 Odd", "302 Found\r\nLocation: http://[::1", "100000 Odd"])
@pytest.mark.parametrize("streamed", [True, False])
async def test_odd_heads_are_the_upstreams_fault(
    head: str, kind: str, streamed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def odd(request: Request, connection: Connection) -> None:
        await connection.raw(f"HTTP/1.1 {head}\r\nContent-Length: 2\r\n\r\n{{}}".encode())

    async with running_upstream(odd) as upstream:  # noqa: SIM117 - the proxy asks it
        async with running_proxy([model(upstream.base, format=kind)], max_retries=0) as proxy:
            reply = await ask(proxy, {**BODY, "stream": streamed})
    assert (reply.status, reply.json["error"]["type"]) == (502, "api_error")
    assert "Traceback" not in caplog.text


EVENTS = [
    {"type": "message_delta", "delta": []},
    {"type": "message_delta", "delta": [1]},
    {"type": "message_delta", "delta": "x", "usage": []},
    [{"type": "message_delta"}],
    {"type": "message_start", "message": []},
    {"type": "message_start", "message": {"usage": {"input_tokens": True, "output_tokens": "x"}}},
    {"type": "content_block_start", "index": [], "content_block": "x"},
    {"type": "content_block_start", "index": 1, "content_block": {"type": {}}},
    {"type": "error", "error": []},
]


@pytest.mark.parametrize("event", EVENTS, ids=repr)
async def test_odd_events_pass_through(event: Any, caplog: pytest.LogCaptureFixture) -> None:
    sent = b"event: x\ndata: " + json.dumps(event).encode() + b"\n\n"

    async def odd(request: Request, connection: Connection) -> None:
        await connection.head()
        await connection.chunk(sent + b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
        await connection.end()

    async with running_upstream(odd) as upstream:  # noqa: SIM117 - the proxy asks it
        async with running_proxy([model(upstream.base, format="anthropic")]) as proxy:
            reply = await ask(proxy, STREAM)
    assert reply.body.startswith(sent)
    assert "Traceback" not in caplog.text


WIDE = b"[" + b"[]," * 600_000 + b"[]]"
SSE = b'data: {"type":"message_delta","choices":[{"index":0,"delta":{"content":"x"}}],"x":%b}\n\n'


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("status", [200, 400])
async def test_elements_that_nobody_can_hold_are_not_made(kind: str, streams: bool, status: int) -> None:
    async def script(request: Request, connection: Connection) -> None:
        if streams and status == 200:
            await connection.head()
            await connection.chunk(SSE % WIDE)
            await connection.end()
        else:
            await connection.whole(status, b'{"x":%b,"choices":[],"error":{"message":"no"}}' % WIDE)

    async with (
        running_upstream(script) as upstream,
        running_proxy([model(upstream.base, format=kind)]) as proxy,
    ):
        tracemalloc.start()
        try:
            await ask(proxy, {**BODY, "stream": streams})
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert most < 30 << 20


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
async def test_of_an_endless_refusal_the_beginning_counts(kind: str) -> None:
    async def script(request: Request, connection: Connection) -> None:
        await connection.head(403, "text/plain")
        with contextlib.suppress(ConnectionError):
            while True:
                await connection.chunk(b"go away " * 5000)

    async with (
        running_upstream(script) as upstream,
        running_proxy([model(upstream.base, format=kind)]) as proxy,
    ):
        reply = await ask(proxy, BODY)
    assert (reply.status, b"go away" in reply.body) == (403, True)


@pytest.mark.parametrize("piece", [b": ping\n\n", b"event: x\n\n", b"\n\n", b"\r"])
@pytest.mark.parametrize("kind", ["openai", "anthropic"])
async def test_the_smallest_events_leave_others_their_turn(
    piece: bytes, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fed: list[int] = []

    async def script(request: Request, connection: Connection) -> None:
        await connection.head()
        for _ in range(8):
            await connection.chunk(piece * (250_000 // len(piece)))
        await connection.left()

    for converter in (RepeatingConverter, NativeStream):
        monkeypatch.setattr(converter, "feed", _measured(converter.feed, fed))
    async with (
        running_upstream(script) as upstream,
        running_proxy([model(upstream.base, format=kind)], drain_timeout=0) as proxy,
    ):
        client = await Client.connect(proxy)
        await client.send({**BODY, "stream": True})
        await eventually(lambda: sum(fed) > 1_900_000, 20)
        client.close()
    assert max(fed) <= 32 << 10


def _measured(feed: Any, fed: list[int]) -> Any:
    def measured(self: Any, data: bytes) -> Any:
        fed.append(len(data))
        return feed(self, data)

    return measured
