"""What a running stream holds."""

from __future__ import annotations

import asyncio
import gc
import json
from typing import Any

from .harness import BODY, Client, model, running_proxy
from .upstream import Connection, Request, running_upstream, text_chunk

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
