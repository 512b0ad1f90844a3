"""Moving on to another model before the first byte: when, where to, what is said of it, and the way back."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.core import sealed_keys
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.server.memory.cooldowns import Cooldowns
from tests.server.byte_upstream import Connection, Request, Upstream, running_upstream, say_hello, text_chunk

from .harness import BODY, KEY, Proxy, ask, model, running_proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

QUOTA = {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}
MESSAGE = b'{"type":"message","model":"n","content":[],"usage":{"input_tokens":1,"output_tokens":1}}'


class Broken:
    """An upstream that answers as told until it is well again."""

    def __init__(self, status: int, body: Any, well: Any = say_hello, **headers: str) -> None:
        self.status = status
        self.body = body
        self.headers = headers
        self.well = well
        self.is_well = False

    async def __call__(self, request: Request, connection: Connection) -> None:
        if self.is_well:
            await self.well(request, connection)
        else:
            await connection.whole(self.status, self.body, **self.headers)


class Pair:
    def __init__(self, proxy: Proxy, first: Upstream, second: Upstream) -> None:
        self.proxy = proxy
        self.first = first
        self.second = second
        self.sealed = True

    async def ask(self, session: str = "s1", **body: Any) -> Any:
        headers = {"x-claude-code-session-id": session} if session else {}
        if self.sealed:
            keys = {self.first.base: KEY, self.second.base: KEY}
            headers[sealed_keys.HEADER] = sealed_keys.seal(keys)
        return await ask(self.proxy, BODY | body, headers=headers)


@asynccontextmanager
async def pair(script: Any, *, protocol: str = "openai") -> AsyncIterator[Pair]:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(running_upstream(script))
        second = await stack.enter_async_context(running_upstream(say_hello))
        entries = [
            model(first.base, fallback=["spare"], format=protocol),
            model(second.base) | {"model_id": "spare", "model_name": "big"},
        ]
        proxy = await stack.enter_async_context(running_proxy(entries, max_retries=0, hold=0.5))
        yield Pair(proxy, first, second)


MOVES = [
    (500, {"error": {"message": "oops"}}, {}),
    (502, b"<html>bad gateway</html>", {}),
    (503, {"error": {"message": "loading"}}, {}),
    (529, {"error": {"message": "overloaded"}}, {}),
    (402, {"error": {"message": "Insufficient Balance"}}, {}),
    (429, QUOTA, {}),
    (429, {"error": {"message": "slow down"}}, {"retry_after": "120"}),
]
STAYS = [
    (400, {"error": {"message": "bad request"}}, {}),
    (401, {"error": {"message": "bad key"}}, {}),
    (404, {"error": {"message": "no such model"}}, {}),
    (429, {"error": {"message": "slow down"}}, {"retry_after": "3"}),
    (429, {"error": {"message": "slow down"}}, {}),
]


@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("status", "body", "headers"), MOVES)
async def test_moves_on(
    status: int,
    body: Any,
    headers: dict[str, str],
    stream: bool,
    protocol: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with pair(Broken(status, body, **headers), protocol=protocol) as world:
        reply = await world.ask(stream=stream)
        assert reply.status == 200
        assert b"lo" in reply.body
        assert reply.headers["x-proxy-upstream-model"] == "big"
        if not stream:
            assert reply.json["model"] == "m"
        assert (len(world.first.requests), len(world.second.requests)) == (1, 1)
        assert "m returned" in caplog.text
        assert "moved on to spare" in caplog.text
        stats = (await ask(world.proxy, None, method="GET", path="/v1/stats")).json
        assert stats["fallback_count"] == {"m -> spare": 1}
        assert stats["model_usage_count"] == {"m": 1, "spare": 1}


@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
@pytest.mark.parametrize(("status", "body", "headers"), STAYS)
async def test_stays(status: int, body: Any, headers: dict[str, str], protocol: str) -> None:
    async with pair(Broken(status, body, **headers), protocol=protocol) as world:
        assert (await world.ask()).status == status
        assert world.second.requests == []


async def test_moves_on_when_nobody_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    async with running_upstream(say_hello) as spare:
        entries = [
            model(f"http://127.0.0.1:{port}", fallback=["spare"]),
            model(spare.base) | {"model_id": "spare"},
        ]
        keys = {entry["api_base"]: KEY for entry in entries}
        async with running_proxy(entries, max_retries=0) as proxy:
            headers = {sealed_keys.HEADER: sealed_keys.seal(keys)}
            assert (await ask(proxy, headers=headers)).status == 200


async def test_a_key_that_is_not_sealed_stays_at_its_address() -> None:
    async with pair(Broken(503, {"error": {"message": "down"}})) as world:
        world.sealed = False
        assert (await world.ask()).status >= 500
        assert world.second.requests == []


async def test_another_model_at_the_same_address_needs_no_other_key() -> None:
    async def script(request: Request, connection: Connection) -> None:
        if request.json["model"] == "m":
            await connection.whole(503, {"error": {"message": "down"}})
        else:
            await say_hello(request, connection)

    async with running_upstream(script) as upstream:
        entries = [model(upstream.base, fallback=["spare"]), model(upstream.base) | {"model_id": "spare"}]
        async with running_proxy(entries, max_retries=0) as proxy:
            assert (await ask(proxy)).status == 200


async def test_an_error_as_the_first_event_of_a_stream() -> None:
    async def script(request: Request, connection: Connection) -> None:
        await connection.head()
        await connection.event({"error": {"message": "overloaded", "code": 503}})
        await connection.end()

    async with pair(script) as world:
        reply = await world.ask(stream=True)
        assert reply.types[-1] == "message_stop"
        assert len(world.second.requests) == 1


async def test_never_after_the_first_byte() -> None:
    async def script(request: Request, connection: Connection) -> None:
        await connection.head()
        await connection.event(text_chunk("begun"))
        await connection.event({"error": {"message": "overloaded", "code": 503}})
        await connection.end()

    async with pair(script) as world:
        reply = await world.ask(stream=True)
        assert reply.types[-1] == "error"
        assert world.second.requests == []


async def test_never_after_the_hold_limit() -> None:
    async def script(request: Request, connection: Connection) -> None:
        await asyncio.sleep(1.0)
        await connection.whole(503, {"error": {"message": "late"}})

    async with pair(script) as world:
        assert (await world.ask(stream=True)).types[-1] == "error"
        assert world.second.requests == []


async def test_all_of_them_down() -> None:
    async with pair(Broken(503, {"error": {"message": "first"}})) as world:
        world.second.script = Broken(503, {"error": {"message": "second"}})
        reply = await world.ask()
        assert reply.status >= 500
        assert "second" in reply.json["error"]["message"]
        assert (await world.ask()).status >= 500  # there is nothing after the last one, so it is asked again
        assert (len(world.first.requests), len(world.second.requests)) == (1, 2)


async def test_leaves_it_alone_and_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    now = 1000.0
    broken = Broken(503, {"error": {"message": "down"}})
    async with pair(broken) as world:
        world.proxy.gateway.cooldowns = Cooldowns(lambda: now)
        for _ in range(3):
            assert (await world.ask(session="s2")).status == 200
        assert len(world.first.requests) == 1  # an outage is everybody's
        assert (await world.ask(session="s3")).status == 200
        assert len(world.first.requests) == 1
        broken.is_well = True
        now += 31
        assert (await world.ask()).status == 200
        assert len(world.first.requests) == 2
        assert "m works again" in caplog.text
        assert (await world.ask()).status == 200
        assert len(world.second.requests) == 4


async def test_no_quota_is_one_sessions_own_trouble() -> None:
    async with pair(Broken(429, QUOTA)) as world:
        for session in ("a", "a", "b", "", ""):
            assert (await world.ask(session=session)).status == 200
        assert len(world.first.requests) == 4


def test_cooldowns_are_bounded() -> None:
    now = 0.0
    cooldowns = Cooldowns(lambda: now)
    error = ApiError(429, "rate_limit_error", "x", headers={"retry-after": "999999"})
    for number in range(3000):
        cooldowns.add("m", f"session-{number}", error)
    assert not cooldowns.is_cooling("m", "session-0")
    assert cooldowns.is_cooling("m", "session-2999")
    now = 901.0
    assert not cooldowns.is_cooling("m", "session-2999")
