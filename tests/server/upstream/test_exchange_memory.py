"""What a running stream holds."""

from __future__ import annotations

import asyncio
import gc
import json
from types import FrameType
from typing import Any

from tests.server.byte_upstream import Connection, Request, running_upstream, say_hello, text_chunk
from tests.server.harness import BODY, Client, model, running_proxy

MARK = "a_field_of_this_request_only"
MESSAGE = b'{"role":"user","content":[{"type":"text","text":"Hi","%b":[]}]}' % MARK.encode()


def held() -> list[dict[str, Any]]:
    """The block of the message; not of a tool, since those are kept for the session's next request."""
    return [found for found in gc.get_objects() if type(found) is dict and MARK in found]


async def test_a_stream_does_not_hold_its_request() -> None:
    over = asyncio.Event()

    async def script(request: Request, connection: Connection) -> None:
        assert held()
        await connection.head()
        await connection.event(text_chunk("Hel"))
        await over.wait()
        await connection.event(text_chunk("lo", "stop"))
        await connection.chunk(b"data: [DONE]\n\n")
        await connection.end()

    body = (
        json.dumps({**BODY, "stream": True, "messages": None})
        .encode()
        .replace(b"null", b"[" + MESSAGE + b"]")
    )
    async with running_upstream(script) as upstream, running_proxy([model(upstream.base)]) as proxy:
        client = await Client.connect(proxy)
        await client.send(body)
        await client.head()
        assert b"message_start" in await client.chunk()
        assert not held()
        over.set()
        client.close()


async def test_a_request_leaves_nothing_to_the_garbage_collector() -> None:
    """What a circle keeps alive lives until the collector has walked everything: memory, and a pause for all."""

    async def answer(request: Request, connection: Connection) -> None:
        if request.path == "/v1/messages":
            await connection.whole(200, {"type": "message", "content": []})
        else:
            await say_hello(request, connection)

    async def refuse(request: Request, connection: Connection) -> None:
        await connection.whole(429, {"error": {"message": "no"}})

    async def cut(request: Request, connection: Connection) -> None:
        if request.json.get("stream"):
            await connection.head()
            await connection.event(text_chunk("Hel"))
        connection.reset()

    async with (
        running_upstream(answer) as good,
        running_upstream(refuse) as refusing,
        running_upstream(cut) as broken,
        running_proxy(
            [
                model(upstream.base, model_id=f"{name}-{form}", format=form)
                for name, upstream in (("good", good), ("refusing", refusing), ("broken", broken))
                for form in ("openai", "anthropic")
            ],
            max_retries=0,
        ) as proxy,
    ):
        names = [
            f"{name}-{form}" for name in ("good", "refusing", "broken") for form in ("openai", "anthropic")
        ]
        bodies = [{**BODY, "stream": stream, "model": name} for stream in (True, False) for name in names]
        client = await Client.connect(proxy)
        for number in range(2):
            if number:
                gc.collect()
                gc.set_debug(gc.DEBUG_SAVEALL)
            for body in bodies:
                await client.send(body)
                await client.reply()
        await asyncio.sleep(0)
        gc.collect()
        gc.set_debug(0)
        left = [found for found in gc.garbage if "claude_code_proxy" in _home(found)]
        gc.garbage.clear()
        client.close()
    assert not left


def _home(found: Any) -> str:
    """Where an object comes from: the module of its type, the file of a frame."""
    return str(found.f_code.co_filename if isinstance(found, FrameType) else type(found).__module__)
