"""`GET /v1/models` shows what is behind wildcard entries, and no key goes where it does not belong."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.core import sealed_keys
from claude_code_proxy.credentials.fixed import Written
from claude_code_proxy.credentials.renewing import Renewing
from claude_code_proxy.server.caller.call import Call
from claude_code_proxy.server.caller.session_keys import SessionKeys
from claude_code_proxy.server.memory import model_lists
from claude_code_proxy.server.memory.model_lists import Catalogue
from tests.server.byte_upstream import Connection, Request, Upstream, running_upstream
from tests.server.harness import KEY, Proxy, ask, model, running_proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NOWHERE = "http://127.0.0.1:1"
LIST = {
    "object": "list",
    "data": [
        {"id": "qwen/qwen3-coder", "name": "Qwen3 Coder", "context_length": 262_144},
        {"id": "anthropic/claude-opus-5.5"},
        {"id": "exact"},
        {"id": "with space"},
        {"id": 7},
        "odd",
    ],
}
IDS = ["up/qwen/qwen3-coder", "anthropic/up/qwen/qwen3-coder", "up/anthropic/claude-opus-5.5"]


def wildcard(base: str, **more: Any) -> dict[str, Any]:
    return {"model_id": "up/*", "model_name": "*", "api_base": f"{base}/v1", **more}


@asynccontextmanager
async def provider(body: Any = None, *, needs_key: bool = False) -> AsyncIterator[Upstream]:
    async def script(request: Request, connection: Connection) -> None:
        if needs_key and request.header("authorization") != f"Bearer {KEY}":
            await connection.whole(401, {"error": {"message": "who are you?"}})
        else:
            await connection.whole(200, LIST if body is None else body)

    async with running_upstream(script) as upstream:
        yield upstream


async def listed(proxy: Proxy, **how: Any) -> dict[str, Any]:
    reply = await ask(proxy, None, method="GET", path="/v1/models?limit=1000", **how)
    assert reply.status == 200
    return {row["id"]: row for row in reply.json["data"]}


async def test_the_providers_list_is_shown_and_routes() -> None:
    async with provider() as upstream:
        models = [
            wildcard(upstream.base),
            {"model_id": "up/exact", "api_base": f"{upstream.base}/v1", "context": 9000},
        ]
        async with running_proxy(models) as proxy:
            rows = await listed(proxy)
            assert proxy.gateway.upstreams.resolve(IDS[1]).model_name == "qwen/qwen3-coder"
    assert list(rows) == ["up/exact", "anthropic/up/exact", *IDS[:2], IDS[2], f"anthropic/{IDS[2]}"]
    shown = rows[IDS[0]]
    assert (shown["id"], shown["display_name"], shown["max_input_tokens"]) == (IDS[0], "Qwen3 Coder", 262_144)
    assert rows["up/exact"]["max_input_tokens"] == 9000, "an exact entry wins"
    (request,) = upstream.requests
    assert (request.method, request.path) == ("GET", "/v1/models")
    assert request.header("authorization") == f"Bearer {KEY}"


async def test_a_list_is_kept_for_minutes_and_then_asked_again() -> None:
    now = 0.0
    async with provider(needs_key=True) as upstream, running_proxy([wildcard(upstream.base)]) as proxy:
        proxy.gateway.catalogue = Catalogue(proxy.gateway.models, proxy.gateway.upstreams, 1.0, lambda: now)
        for _ in range(3):
            assert IDS[0] in await listed(proxy)
        assert len(upstream.requests) == 1
        now = model_lists.FRESH + 1
        assert IDS[0] in await listed(proxy)
        assert len(upstream.requests) == 2
        assert KEY not in repr(vars(proxy.gateway.catalogue))


async def test_without_a_key_nobody_is_asked() -> None:
    async with provider() as upstream, running_proxy([wildcard(upstream.base)]) as proxy:
        assert await listed(proxy, key=None) == {}
    assert upstream.requests == []


async def test_a_key_that_may_be_for_another_provider_is_not_sent() -> None:
    async with provider() as upstream, running_proxy([wildcard(upstream.base), model(NOWHERE)]) as proxy:
        assert set(IDS) < set(await listed(proxy)), "a list that is public needs none"
    (request,) = upstream.requests
    assert request.header("authorization") is None
    assert KEY not in str(request.headers)


async def test_sealed_keys_go_to_their_own_provider_only() -> None:
    async with provider(needs_key=True) as upstream, provider() as other:
        models = [wildcard(upstream.base), {**wildcard(other.base), "model_id": "other/*"}]
        async with running_proxy(models) as proxy:
            headers = {sealed_keys.HEADER: sealed_keys.seal({f"{upstream.base}/v1": KEY})}
            rows = await listed(proxy, headers=headers, key="placeholder")
    assert {IDS[0], "other/qwen/qwen3-coder"} < set(rows)
    assert upstream.requests[0].header("authorization") == f"Bearer {KEY}"
    assert other.requests[0].header("authorization") is None


async def test_a_list_that_a_key_opened_is_not_kept_for_callers_elsewhere() -> None:
    async with provider(needs_key=True) as upstream, running_proxy([wildcard(upstream.base)]) as proxy:
        assert IDS[0] in await listed(proxy)
        elsewhere = {"x-forwarded-for": "203.0.113.9"}
        assert await listed(proxy, headers=elsewhere, key="another-callers-key") == {}
        assert IDS[0] in await listed(proxy, headers=elsewhere)
        assert await listed(proxy, headers=elsewhere, key="another-callers-key") == {}
    assert len(upstream.requests) == 4


@pytest.mark.parametrize(
    "body",
    [
        b"no json",
        {"data": {}},
        {"error": "x"},
        [],
        {"data": [{"id": "x" * 300}, {"id": "a\nb"}, {"id": "*"}]},
    ],
)
async def test_what_is_no_list_shows_nothing(body: Any) -> None:
    async with provider(body) as upstream, running_proxy([wildcard(upstream.base)]) as proxy:
        assert await listed(proxy) == {}


async def test_a_bare_array_is_a_list_too() -> None:
    async with provider(LIST["data"]) as upstream, running_proxy([wildcard(upstream.base)]) as proxy:
        assert set(IDS) < set(await listed(proxy))


async def test_a_list_that_is_too_long_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_lists, "_MOST_MODELS", 3)
    body = {"data": [{"id": f"claude-{n}"} for n in range(10)]}
    async with provider(body) as upstream, running_proxy([wildcard(upstream.base, model_id="*")]) as proxy:
        assert list(await listed(proxy)) == ["claude-0", "claude-1", "claude-2"]


async def test_a_provider_that_is_silent_is_left_out_in_time() -> None:
    async def silent(request: Request, connection: Connection) -> None:
        await asyncio.sleep(30)

    async with running_upstream(silent) as upstream, provider() as other:
        models = [wildcard(upstream.base), {**wildcard(other.base), "model_id": "other/*"}]
        async with running_proxy(models, model_list_timeout=0.2) as proxy:
            async with asyncio.timeout(5):
                rows = await listed(proxy)
                assert "other/qwen/qwen3-coder" in rows
                await listed(proxy)
            assert len(upstream.requests) == 1, "it is not asked again at once"


async def test_a_part_of_a_catalogue() -> None:
    async with provider() as upstream:
        entry = wildcard(upstream.base, model_id="q-*", model_name="qwen/*")
        fixed = {"model_id": "z/*", "model_name": "exact", "api_base": f"{upstream.base}/v1"}
        async with running_proxy([entry, fixed]) as proxy:
            assert list(await listed(proxy)) == ["q-qwen3-coder", "anthropic/q-qwen3-coder"]
    assert len(upstream.requests) == 1, "an entry that means one model has no list"


async def test_an_anthropic_format_list_gets_its_headers() -> None:
    async with provider() as upstream:
        entry = wildcard(upstream.base, format="anthropic")
        async with running_proxy([entry]) as proxy:
            assert IDS[0] in await listed(proxy)
    (request,) = upstream.requests
    assert request.header("anthropic-version") == "2023-06-01"
    assert request.header("authorization") == f"Bearer {KEY}"
    assert json.dumps(request.path) == '"/v1/models"'


async def never(*_: Any) -> Any:
    raise AssertionError("listing needs no message of the client")


async def test_a_sessions_own_key_goes_to_the_address_it_is_for() -> None:
    headers = [(b"host", b"127.0.0.1")]
    scope = {
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
    }
    async with provider(needs_key=True) as upstream, provider(needs_key=True) as other:
        models = [wildcard(upstream.base), {**wildcard(other.base), "model_id": "other/*"}]
        async with running_proxy(models) as proxy:
            call = Call(scope, never, never)
            call.session_keys = SessionKeys("token", {f"{upstream.base}/v1": Renewing(Written(KEY, {}))})
            found = await Catalogue(proxy.gateway.models, proxy.gateway.upstreams, 1.0).models(call)
    assert {model_id.partition("/")[0] for model_id, _, _ in found} == {"up"}
    assert other.requests[0].header("authorization") is None


async def test_the_kept_lists_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_lists, "_MOST_KEPT", 2)
    async with provider() as upstream:
        models = [{**wildcard(f"{upstream.base}/{n}"), "model_id": f"p{n}/*"} for n in range(4)]
        async with running_proxy(models) as proxy:
            assert len({name.partition("/")[0] for name in await listed(proxy)} - {"anthropic"}) == 4
            assert len(proxy.gateway.catalogue._kept) == 2
