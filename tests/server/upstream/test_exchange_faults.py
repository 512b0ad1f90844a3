"""An upstream's connection that ends at any byte, in any way: no failure is ever taken for an answer."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.byte_upstream import USAGE, running_upstream, say_hello, text_chunk
from tests.server.harness import BODY, Client, ask, eventually, model, running_proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.server.byte_upstream import Connection, Request


def chunked(*events: str) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    parts = [b"%x\r\n%b\r\n" % (len(event.encode()), event.encode()) for event in events]
    return head + b"".join(parts) + b"0\r\n\r\n"


def whole(body: dict[str, Any]) -> bytes:
    data = json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
        len(data),
        data,
    )


def named(*events: dict[str, Any]) -> list[str]:
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]


MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 1},
}
NATIVE = named(
    {"type": "message_start", "message": MESSAGE},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hellö"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
    {"type": "message_stop"},
)
CHAT = [
    f"data: {json.dumps(one)}\n\n"
    for one in (
        text_chunk("Hel"),
        text_chunk("lö"),
        text_chunk(finish="stop"),
        {**text_chunk(), "choices": [], "usage": USAGE},
    )
]
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "Hellö"}, "finish_reason": "stop"}
ANSWERS: dict[tuple[str, bool], bytes] = {
    ("openai", True): chunked(*CHAT, "data: [DONE]\n\n"),
    ("openai", False): whole({"id": "c", "model": "m", "choices": [CHOICE], "usage": USAGE}),
    ("anthropic", True): chunked(*NATIVE),
    ("anthropic", False): whole(
        {**MESSAGE, "content": [{"type": "text", "text": "Hellö"}], "stop_reason": "end_turn"}
    ),
}
SAID: dict[tuple[str, bool], bytes] = {
    ("openai", True): b'"finish_reason": "stop"',
    ("anthropic", True): b'"type": "message_stop"',
}
"""What of a stream must have come for its answer to be whole; of a whole answer it is every byte."""


def reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def half_close(writer: asyncio.StreamWriter) -> None:
    writer.write_eof()
    await asyncio.sleep(0.2)
    writer.close()


@asynccontextmanager
async def cutting(answer: bytes, how: str) -> AsyncIterator[tuple[str, list[int]]]:
    """An upstream that sends as many bytes of `answer` as the list says, and then ends the connection."""
    places = [0]
    tasks: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        head = await reader.readuntil(b"\r\n\r\n")
        size = next(
            int(line.partition(b":")[2]) for line in head.lower().split(b"\r\n") if b"content-length" in line
        )
        await reader.readexactly(size)
        writer.write(answer[: places[0]])
        await writer.drain()
        if how == "reset":
            await asyncio.sleep(0.005)  # so that what was sent is read before the reset discards it
            reset(writer)
        elif how == "half-close":
            await half_close(writer)
        else:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", places
    await asyncio.gather(*filter(None, tasks))


@pytest.mark.parametrize("how", ["reset", "close", "half-close"])
@pytest.mark.parametrize(("format", "stream"), ANSWERS)
async def test_a_connection_that_ends_at_any_byte(format: str, stream: bool, how: str) -> None:  # noqa: A002
    answer = ANSWERS[format, stream]
    said = answer.find(SAID[format, stream]) + len(SAID[format, stream]) if stream else len(answer)
    edges = [at + d for at in range(len(answer)) if answer[at : at + 2] == b"\n\n" for d in (0, 1, 2, 3)]
    every = {"reset": 23, "close": 17, "half-close": 97}[how]
    places = sorted({0, 1, *range(0, len(answer), every), *edges[:: 1 if how == "close" else 3], len(answer)})
    async with (
        cutting(answer, how) as (base, sent),
        running_proxy([model(base, format=format)], max_retries=0, settle_timeout=0.3) as proxy,
    ):
        for sent[0] in places:
            reply = await asyncio.wait_for(ask(proxy, {**BODY, "stream": stream}), 20)
            if sent[0] < said:
                assert is_failure(reply.status, reply.body, stream=stream), (sent[0], reply)
            elif sent[0] == len(answer):
                assert reply.status == 200
                assert (
                    "Hellö" in reply.body.decode()
                    or b"l\\u00f6" in reply.body
                    or b'"l\xc3\xb6"' in reply.body
                )
                assert b"end_turn" in reply.body
                assert b'"type":"error"' not in reply.body
        await eventually(lambda: proxy.gateway.in_flight == 0)


def is_failure(status: int, body: bytes, *, stream: bool) -> bool:
    if status == 200 and stream:
        return b"event: error" in body and b"message_stop" not in body
    return status >= 500 and json.loads(body)["type"] == "error"


@pytest.mark.parametrize("host", ["does-not-exist.invalid", "127.0.0.1:1", "[::1]:1", "x" * 70 + ".invalid"])
@pytest.mark.parametrize("stream", [True, False])
async def test_an_upstream_that_is_not_there(host: str, stream: bool) -> None:
    async with running_proxy([model(f"http://{host}")], max_retries=0, allow_plain_http=True) as proxy:
        for _ in range(2):
            reply = await ask(proxy, {**BODY, "stream": stream})
            assert reply.status >= 500
            assert reply.json["error"]["type"] in ("api_error", "overloaded_error", "timeout_error")
        assert proxy.gateway.in_flight == 0


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_half_closes_is_gone(stream: bool) -> None:
    """It may have left: nobody can tell, and its answer costs money."""
    left = asyncio.Event()

    async def slow(request: Request, connection: Connection) -> None:
        await connection.left()
        left.set()

    async with running_upstream(slow) as upstream, running_proxy([model(upstream.base)]) as proxy:
        client = await Client.connect(proxy)
        await client.send({**BODY, "stream": stream})
        await eventually(lambda: upstream.requests)
        client.writer.write_eof()
        await asyncio.wait_for(left.wait(), 5)
        await eventually(lambda: proxy.gateway.in_flight == 0)
        assert not proxy.connections._open
        client.close()
    async with running_upstream(say_hello) as upstream, running_proxy([model(upstream.base)]) as proxy:
        assert (await ask(proxy)).status == 200
