"""What a running stream holds."""

from __future__ import annotations

import asyncio
import gc
import json
from typing import Any

from .harness import BODY, Client, model, running_proxy
from .upstream import Connection, Request, running_upstream, say_hello, text_chunk

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


async def test_an_answered_request_leaves_nothing_to_the_garbage_collector() -> None:
    """What a cycle keeps alive lives until the collector has walked everything: memory, and a pause for all."""

    async def answer(request: Request, connection: Connection) -> None:
        if request.path == "/v1/messages":
            await connection.whole(200, {"type": "message", "content": []})
        else:
            await say_hello(request, connection)

    models = [{"model_id": "m"}, {"model_id": "n", "format": "anthropic"}]
    async with (
        running_upstream(answer) as upstream,
        running_proxy([{**entry, "api_base": upstream.base} for entry in models]) as proxy,
    ):
        bodies = [
            {**BODY, "stream": stream, "model": name} for stream in (True, False) for name in ("m", "n")
        ]
        client = await Client.connect(proxy)
        for number in range(2):
            if number:
                gc.collect()
                gc.set_debug(gc.DEBUG_SAVEALL)
            for body in bodies:
                await client.send(body)
                assert (await client.reply()).status == 200
        await asyncio.sleep(0)
        gc.collect()
        gc.set_debug(0)
        left = [found for found in gc.garbage if type(found).__module__.startswith("claude_code_proxy")]
        gc.garbage.clear()
        client.close()
    assert not left
