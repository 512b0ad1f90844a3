"""What is sent a second time as it is: a failure that often passes at once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.byte_upstream import Connection, Request, running_upstream
from tests.server.harness import BODY, ask, model, running_proxy

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
