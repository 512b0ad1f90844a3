"""Requests under way: in all, and of one key; and what answers nevertheless."""

from __future__ import annotations

import asyncio

from tests.server.byte_upstream import Connection, Request, running_upstream
from tests.server.harness import BODY, Client, ask, eventually, model, running_proxy


async def silent(request: Request, connection: Connection) -> None:
    await asyncio.Event().wait()


async def test_a_key_may_not_take_all() -> None:
    limits = {"max_requests": 3, "max_requests_per_key": 2}
    async with running_upstream(silent) as upstream:  # noqa: SIM117 - the proxy asks it
        async with running_proxy([model(upstream.base)], **limits) as proxy:
            waiting = [await Client.connect(proxy) for _ in range(3)]
            for number, client in enumerate(waiting):
                await client.send(BODY, key="greedy" if number < 2 else "modest")
            await eventually(lambda: proxy.gateway.admission.requests == 3)
            full = await ask(proxy, BODY, key="another")
            assert (full.status, full.json["error"]["type"]) == (529, "overloaded_error")
            assert (await ask(proxy, None, method="GET", path="/health", key=None)).status == 200
            ready = await ask(proxy, None, method="GET", path="/ready", key=None)
            assert (ready.status, ready.json) == (503, {"status": "full"})
            waiting.pop().close()
            await eventually(lambda: proxy.gateway.admission.requests == 2)
            greedy = await ask(proxy, BODY, key="greedy")
            assert (greedy.status, greedy.json["error"]["type"]) == (429, "rate_limit_error")
            assert greedy.headers["retry-after"] == "1"
            assert (await ask(proxy, None, method="GET", path="/v1/models", key=None)).status == 200
            assert (await ask(proxy, None, method="GET", path="/ready", key=None)).json == {"status": "ready"}
            for client in waiting:
                client.close()
            await eventually(lambda: proxy.gateway.admission.requests == 0)
            assert not proxy.gateway.admission._by_key
