"""Mixed requests, an upstream that fails at random in every way, and a ledger of what became of each."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.server.byte_upstream import USAGE, text_chunk
from tests.server.harness import Client

if TYPE_CHECKING:
    import random

    from tests.server.byte_upstream import Connection, Request
    from tests.server.harness import Proxy

CLIENTS = 24
MOST_AT_ONCE = 20
"""Of the server: with more clients than that, some are refused."""
_TEXT = "Some words of an answer. "


class Unreliable:
    """The upstream: a good response or a fault, by chance; `seen` has the numbers of the requests that came."""

    def __init__(self, pick: random.Random) -> None:
        self._pick = pick
        self.seen: set[str] = set()

    async def __call__(self, request: Request, connection: Connection) -> None:
        body = request.json
        self.seen.add(json.dumps(body["messages"]).partition("number-")[2].partition(" ")[0])
        fault = self._pick.choice(
            ("",) * 12 + ("early", "head", "half", "status", "slow", "nonsense", "error")
        )
        if fault == "early":
            _reset(connection)
        elif fault == "head":
            await connection.raw(b"HTTP/1.1 200 OK\r\ncontent-ty")
            _reset(connection)
        elif fault == "status":
            status = self._pick.choice((400, 401, 404, 413, 429, 500, 502, 503, 529))
            error = {"type": "api_error", "message": "by chance"}
            await connection.whole(status, {"type": "error", "error": error}, retry_after="1")
        else:
            write = self._native if "/messages" in request.path else self._chat
            await write(connection, fault, stream=bool(body.get("stream")))

    async def _chat(self, connection: Connection, fault: str, *, stream: bool) -> None:
        if not stream:
            message = {"role": "assistant", "content": _TEXT * 20}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            await self._whole(connection, fault, {"id": "c", "choices": [choice], "usage": USAGE})
            return
        events = [text_chunk(_TEXT) for _ in range(self._pick.randint(1, 40))]
        failure: dict[str, Any] = {"error": {"message": "by chance"}}
        ending = [text_chunk(finish="stop"), {**text_chunk(), "choices": [], "usage": USAGE}]
        lines = [
            f"data: {json.dumps(event)}\n\n"
            for event in (*events, *([failure] if fault == "error" else ending))
        ]
        await self._stream(connection, fault, [*lines, "data: [DONE]\n\n"], len(events))

    async def _native(self, connection: Connection, fault: str, *, stream: bool) -> None:
        message = {"id": "msg", "type": "message", "role": "assistant", "model": "m", "stop_reason": None}
        usage = {"input_tokens": 11, "output_tokens": 5}
        if not stream:
            content = [{"type": "text", "text": _TEXT * 20}]
            done = {**message, "content": content, "usage": usage, "stop_reason": "end_turn"}
            # What is passed through is not read: nonsense reaches the client as it is.
            await self._whole(connection, fault if fault in ("slow", "half") else "", done)
            return
        count = self._pick.randint(1, 40)
        delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": _TEXT}}
        begin = [
            {"type": "message_start", "message": {**message, "content": [], "usage": usage}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        ]
        failure = [{"type": "error", "error": {"type": "api_error", "message": "by chance"}}]
        ending = [
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage},
            {"type": "message_stop"},
        ]
        events = [*begin, *[delta] * count, *(failure if fault == "error" else ending)]
        lines = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]
        await self._stream(connection, fault, lines, count)

    async def _whole(self, connection: Connection, fault: str, body: dict[str, Any]) -> None:
        if fault == "slow":
            await asyncio.sleep(0.2)
        if fault == "half":
            await connection.raw(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"
            )
            _reset(connection)
        elif fault == "error":
            await connection.whole(200, {"error": {"message": "by chance"}})
        else:
            await connection.whole(200, b"<html>" if fault == "nonsense" else body)

    async def _stream(self, connection: Connection, fault: str, events: list[str], half: int) -> None:
        await connection.head()
        for number, event in enumerate(events):
            if number == half and fault == "half":
                await connection.raw(b"40\r\ndata: {")
                _reset(connection)
                return
            if number == half and fault == "nonsense":
                event = "data: {not json\n\n"
            await connection.chunk(event.encode())
            if number % 8 == 0:
                await asyncio.sleep(0.1 if fault == "slow" else 0.002)
        await connection.end()


def _reset(connection: Connection) -> None:
    writer = connection._writer
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Traffic:
    """Clients that ask until the time is over. `ledger`: how many of their requests ended in which way.

    `answered`, `failed` (a stream that ended in an error), `refused` (an error before anything),
    `turned_away` (refused before it was looked at) and `cancelled` add up to `sent`.
    """

    def __init__(self, proxy: Proxy, upstream: Unreliable, pick: random.Random) -> None:
        self.ledger: Counter[str] = Counter()
        self._proxy = proxy
        self._upstream = upstream
        self._pick = pick

    async def run(self, seconds: float) -> None:
        """Ask for so long; every request is over when this returns."""
        until = asyncio.get_running_loop().time() + seconds
        async with asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(self._client(until))

    async def _client(self, until: float) -> None:
        loop = asyncio.get_running_loop()
        client: Client | None = None
        while loop.time() < until:
            if client is None:
                client = await Client.connect(self._proxy)
            keep = await asyncio.wait_for(self._one(client), 60)
            if not keep or self._pick.random() < 0.1:
                client.close()
                client = None
        if client is not None:
            client.close()

    async def _one(self, client: Client) -> bool:
        """One request; whether the connection can take another."""
        pick = self._pick
        self.ledger["sent"] += 1
        number = str(self.ledger["sent"])
        text = f"number-{number} " + "x" * pick.choice((10, 1000, 20_000))
        stream = pick.random() < 0.7
        body: Any = {
            "model": pick.choice(("chat", "native")),
            "max_tokens": 100,
            "stream": stream,
            "messages": [{"role": "user", "content": text}],
        }
        chance = pick.random()
        if chance < 0.03:
            await client.send(b'{"model": ')
        elif chance < 0.06:
            await client.send(body, key=None)
        elif chance < 0.16:
            await client.send(body)
            return await self._leave(client, number)
        else:
            await client.send(body)
        return await self._response(client, stream=stream)

    async def _leave(self, client: Client, number: str) -> bool:
        """Go away while the request is under way, or take a response that was quicker."""
        first = asyncio.ensure_future(client.reader.read(1))
        while number not in self._upstream.seen and not first.done():  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        if not first.done():
            first.cancel()
            self.ledger["cancelled"] += 1
            return False
        first.result()
        client.reader._buffer[:0] = first.result()  # type: ignore[attr-defined] # what was read too early
        return await self._response(client, stream=False)

    async def _response(self, client: Client, *, stream: bool) -> bool:
        reply = await client.reply()
        if reply.status == 529 and "max_requests" in reply.body.decode():
            self.ledger["turned_away"] += 1
        elif reply.status != 200:
            assert reply.json.get("type") == "error", reply
            self.ledger[
                "unread"
                if reply.status in (400, 401) and "by chance" not in reply.body.decode()
                else "refused"
            ] += 1
        elif reply.headers["content-type"].startswith("text/event-stream"):
            ends = (b"event: message_stop" in reply.body, b"event: error" in reply.body)
            assert ends in ((True, False), (False, True)), reply.body[-500:]
            self.ledger["answered" if ends[0] else "failed"] += 1
        else:
            assert not stream
            assert reply.json["stop_reason"] == "end_turn"
            self.ledger["answered"] += 1
        return reply.headers.get("connection") != "close"
