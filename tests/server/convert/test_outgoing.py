"""What an answer says of the request before it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.byte_upstream import running_upstream, say_hello
from tests.server.harness import BODY, ask, model, running_proxy


@pytest.mark.parametrize("stream", [True, False])
async def test_why_the_cache_was_missed(stream: bool) -> None:
    async def message(body: dict[str, Any]) -> Any:
        reply = await ask(proxy, {**BODY, "stream": stream, **body})
        return reply.events[0]["message"] if stream else reply.json

    async with running_upstream(say_hello) as upstream, running_proxy([model(upstream.base)]) as proxy:
        plain = await message({})
        first = await message({"diagnostics": {"previous_message_id": None}})
        named = {"diagnostics": {"previous_message_id": first["id"]}}
        same, changed = await message(named), await message({**named, "system": "new"})
    assert "diagnostics" not in plain
    assert first["diagnostics"] is None
    assert same["diagnostics"] is None
    assert changed["diagnostics"]["cache_miss_reason"]["type"] == "system_changed"
    assert len({plain["id"], first["id"], same["id"], changed["id"]}) == 4
