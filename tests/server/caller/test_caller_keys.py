"""Keys that are sealed to addresses: each reaches its own upstream, and attempts to make one leak fail."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.core import sealed_keys
from tests.server.byte_upstream import Connection, Request, Upstream, running_upstream, say_hello
from tests.server.harness import BODY, KEY, Proxy, ask, model, running_proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FIRST, SECOND = "sk-planted-first-0001", "sk-planted-second-0002"
NATIVE = b'{"type":"message","model":"n","content":[],"usage":{"input_tokens":1,"output_tokens":1}}'


class Stage:
    """Two upstreams with a key each, a third without one, and a proxy that knows all of them."""

    def __init__(self, proxy: Proxy, upstreams: list[Upstream], scripts: dict[str, Any]) -> None:
        self.proxy = proxy
        self.first, self.second, self.stranger = upstreams
        self._scripts = scripts

    @property
    def headers(self) -> dict[str, str]:
        keys = {self.first.base: FIRST, self.second.base: SECOND}
        return {sealed_keys.HEADER: sealed_keys.seal(keys), "x-api-key": "sk-planted-helper-0003"}

    def script(self, name: str, script: Any) -> None:
        self._scripts[name] = script

    async def ask(self, name: str, **how: Any) -> Any:
        how["headers"] = self.headers | how.get("headers", {})
        return await ask(self.proxy, BODY | {"model": name}, **how)

    def check(self) -> None:
        """Each upstream saw its own key and no other; nobody saw the placeholder, the helper's or the header."""
        own = {id(self.first): FIRST, id(self.second): SECOND, id(self.stranger): None}
        for upstream in (self.first, self.second, self.stranger):
            for request in upstream.requests:
                seen = json.dumps(request.headers) + request.path + request.body.decode()
                allowed = own[id(upstream)]
                for key in (FIRST, SECOND, KEY, "sk-planted-helper-0003"):
                    assert (key in seen) is (key == allowed)
                assert sealed_keys.HEADER not in seen


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    scripts: dict[str, Any] = {}

    def script_of(name: str) -> Any:
        async def script(request: Request, connection: Connection) -> None:
            await scripts.get(name, say_hello)(request, connection)

        return script

    async with AsyncExitStack() as stack:
        names = ("first", "second", "stranger")
        first, second, stranger = [
            await stack.enter_async_context(running_upstream(script_of(name))) for name in names
        ]
        entries = [
            model(first.base) | {"model_id": "one", "fallback": ["two"]},
            model(second.base) | {"model_id": "two"},
            model(stranger.base) | {"model_id": "three"},
            model(first.base) | {"model_id": "native", "format": "anthropic"},
            model(second.base) | {"model_id": "native2", "format": "anthropic"},
            model(first.base) | {"model_id": "first/*", "model_name": "*"},
            model(first.base + "/other/path") | {"model_id": "deeper"},
            model(stranger.base) | {"model_id": "falls", "fallback": ["one"]},
            model(first.base) | {"model_id": "falls-out", "fallback": ["three"]},
        ]
        proxy = await stack.enter_async_context(running_proxy(entries, max_retries=0))
        yield Stage(proxy, [first, second, stranger], scripts)


async def test_each_key_goes_to_its_own_upstream(stage: Stage) -> None:
    for name in ("one", "two", "first/anything", "anthropic/one", "two[1m]"):
        assert (await stage.ask(name)).status == 200
    assert [request.header("authorization") for request in stage.first.requests] == [f"Bearer {FIRST}"] * 3
    assert [request.header("authorization") for request in stage.second.requests] == [f"Bearer {SECOND}"] * 2
    stage.check()


async def whole(request: Request, connection: Connection) -> None:
    await connection.whole(200, NATIVE)


async def test_passthrough_gets_only_its_key(stage: Stage) -> None:
    stage.script("first", whole)
    stage.script("second", whole)
    assert (await stage.ask("native")).status == 200
    assert (await stage.ask("native2")).status == 200
    (request,) = stage.first.requests
    assert (request.header("authorization"), request.header("x-api-key")) == (f"Bearer {FIRST}", None)
    stage.check()


async def test_counting_tokens(stage: Stage) -> None:
    stage.script("first", whole)
    assert (await stage.ask("native", path="/v1/messages/count_tokens")).status == 200
    assert (await stage.ask("one", path="/v1/messages/count_tokens")).status == 200
    assert (await stage.ask("three", path="/v1/messages/count_tokens")).status == 401
    stage.check()


@pytest.mark.parametrize("name", ["three", "deeper"])
async def test_no_key_for_an_address_that_is_not_exactly_its_own(stage: Stage, name: str) -> None:
    reply = await stage.ask(name)
    assert (reply.status, reply.headers["x-should-retry"]) == (401, "false")
    assert f"no key of this session is for the upstream of {name}" in reply.json["error"]["message"]
    assert stage.first.requests == stage.stranger.requests == []


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/test_conversion"])
async def test_redirects_are_not_followed(stage: Stage, path: str) -> None:
    async def redirect(request: Request, connection: Connection) -> None:
        await connection.whole(307, b"", location=f"{stage.second.base}/v1/chat/completions")

    stage.script("first", redirect)
    reply = await stage.ask("first/x", path=path)
    assert reply.status == 502
    assert stage.second.requests == []
    stage.check()


async def test_a_fallback_brings_its_own_key(stage: Stage) -> None:
    async def broken(request: Request, connection: Connection) -> None:
        await connection.whole(503, {"error": {"message": f"no {request.header('authorization')}"}})

    stage.script("first", broken)
    assert (await stage.ask("one")).status == 200
    assert len(stage.first.requests) == len(stage.second.requests) == 1
    stage.check()


async def test_a_fallback_without_a_key_is_not_tried(stage: Stage) -> None:
    async def broken(request: Request, connection: Connection) -> None:
        await connection.whole(503, {"error": {"message": "down"}})

    stage.script("first", broken)
    assert (await stage.ask("falls-out")).status in (503, 529)
    assert stage.stranger.requests == []
    assert (await stage.ask("falls")).status == 401  # a model without a key is no outage to move on from
    stage.check()


async def test_error_bodies_and_logs_show_no_key(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    async def quoting(request: Request, connection: Connection) -> None:
        said = f"bad {request.header('authorization') or request.header('x-api-key')}"
        await connection.whole(500, {"error": {"message": said}})

    stage.script("first", quoting)
    stage.script("second", quoting)
    replies = [await stage.ask(name) for name in ("one", "two", "first/x", "native")]
    replies.append(await stage.ask("one", headers={"x-proxy-report": "1"}))
    shown = "".join(reply.body.decode() + json.dumps(reply.headers) for reply in replies[:3]) + caplog.text
    shown += json.dumps((await ask(stage.proxy, None, method="GET", path="/v1/stats")).json)
    for key in (FIRST, SECOND, KEY):
        assert key not in shown
    assert SECOND not in replies[3].body.decode()
    stage.check()


@pytest.mark.parametrize("value", ["", "%%%", "bm8", "eyJhIjoxfQ", "W10", "é"])
async def test_a_header_that_cannot_be_read(stage: Stage, value: str) -> None:
    reply = await stage.ask("one", headers={sealed_keys.HEADER: value})
    assert reply.status == 400
    assert stage.first.requests == []


async def test_a_client_cannot_seal_without_keys(stage: Stage) -> None:
    reply = await stage.ask("one", headers={sealed_keys.HEADER: sealed_keys.seal({})})
    assert reply.status == 401


def test_sealing() -> None:
    keys = {"https://api.example.com/v1": "sk-1", "http://127.0.0.1:8000": "ü-2"}
    assert sealed_keys.unseal(sealed_keys.seal(keys)) == keys
    assert sealed_keys.unseal(" " + sealed_keys.seal({}) + " ") == {}
