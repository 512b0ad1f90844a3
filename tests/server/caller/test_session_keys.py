"""A server that has the keys of its session: who may ask it, which key goes where, and a key that is renewed."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.core import sealed_keys
from claude_code_proxy.credentials.source import Credential, CredentialError
from claude_code_proxy.server.caller.session_keys import SessionKeys
from tests.server.byte_upstream import Connection, Request, Upstream, running_upstream, say_hello
from tests.server.harness import BODY, KEY, Proxy, Reply, ask, model, running_proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TOKEN = "the-token-of-this-session"
NATIVE = {"type": "message", "model": "n", "content": [], "usage": {"input_tokens": 1, "output_tokens": 1}}


class Source:
    """Tokens in order, one further with each renewal; an exception among them is raised."""

    def __init__(self, *tokens: str | CredentialError, **headers: str) -> None:
        self._tokens = list(tokens)
        self._headers = headers
        self.renewals = 0

    async def current(self) -> Credential:
        token = self._tokens[0]
        if isinstance(token, CredentialError):
            raise token
        return Credential(token, headers=self._headers)

    async def renew(self) -> Credential:
        self.renewals += 1
        await asyncio.sleep(0.02)
        if len(self._tokens) > 1:
            self._tokens.pop(0)
        return await self.current()


class Stage:
    """A provider that takes `accepted` only, another one, and a session's proxy before both."""

    def __init__(self, proxy: Proxy, first: Upstream, second: Upstream) -> None:
        self.proxy, self.first, self.second = proxy, first, second

    async def ask(self, name: str = "m", key: str | None = TOKEN, **how: Any) -> Reply:
        return await ask(self.proxy, BODY | {"model": name, **how.pop("body", {})}, key=key, **how)


def sent_key(request: Request) -> str:
    return (request.header("authorization") or "").removeprefix("Bearer ") + (
        request.header("x-api-key") or ""
    )


@asynccontextmanager
async def stage(first: Source, second: Source | None = None, accepted: str = "") -> AsyncIterator[Stage]:
    async def script(request: Request, connection: Connection) -> None:
        if accepted and sent_key(request) != accepted:
            await connection.whole(401, {"error": {"message": f"{sent_key(request)} has expired"}})
        elif request.path.endswith("/models"):
            await connection.whole(200, {"data": []})
        elif "/messages" in request.path:
            await connection.whole(200, NATIVE)
        else:
            await say_hello(request, connection)

    async with running_upstream(script) as one, running_upstream(say_hello) as two:
        sources: dict[str, Source] = {one.base: first}
        if second is not None:
            sources[two.base] = second
        models = [
            model(one.base),
            model(one.base) | {"model_id": "native", "format": "anthropic"},
            model(one.base) | {"model_id": "falls", "fallback": ["other"]},
            model(two.base) | {"model_id": "other"},
            model(one.base) | {"model_id": "first/*", "model_name": "*"},
        ]
        async with running_proxy(models, SessionKeys(TOKEN, sources), max_retries=0) as proxy:
            yield Stage(proxy, one, two)


PATHS = [
    ("GET", "/v1/models"),
    ("GET", "/v1/models/m"),
    ("GET", "/v1/stats"),
    ("GET", "/test-connection"),
    ("POST", "/v1/messages"),
    ("POST", "/v1/messages/count_tokens"),
    ("POST", "/v1/messages/test_conversion"),
    ("POST", "/v1/messages/test_conversion?dry_run=1"),
    ("GET", "/nowhere"),
]
WRONG: list[dict[str, str]] = [
    {},
    {"authorization": f"Bearer {KEY}"},
    {"authorization": f"Bearer {TOKEN[:-1]}"},
    {"authorization": f"Bearer {TOKEN}x"},
    {"authorization": "Bearer"},
    {"authorization": f"Basic {TOKEN}"},
    {"x-api-key": KEY},
    {"x-api-key": ""},
    {"x-api-key": "ÿ"},
    {"x-upstream-key": TOKEN},
    {"cookie": TOKEN},
]


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_a_stranger_gets_nothing(method: str, path: str) -> None:
    async with stage(Source("sk-1")) as running:
        sealed = sealed_keys.seal({running.first.base: KEY})
        for headers in [*WRONG, {sealed_keys.HEADER: sealed}]:
            body = BODY if method == "POST" else None
            reply = await ask(running.proxy, body, method=method, path=path, headers=headers, key=None)
            assert (reply.status, reply.headers["x-should-retry"]) == (401, "false"), headers
            assert reply.json["error"]["type"] == "authentication_error"
            assert "sk-1" not in reply.body.decode() + json.dumps(reply.headers)
        assert running.first.requests == []


async def test_everybody_may_ask_whose_it_is() -> None:
    async with stage(Source("sk-1")) as running:
        for path in ("/", "/api/hello", "/health", "/ready"):
            reply = await ask(running.proxy, None, method="GET", path=path, key=None)
            assert reply.status == 200
        assert (await ask(running.proxy, None, method="GET", path="/", key=None)).json["private"] is True


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {TOKEN}"},
        {"x-api-key": TOKEN},
        {"authorization": f"Bearer {TOKEN}", "x-api-key": "sk-foreign-helper"},
        {"authorization": "Bearer sk-foreign-helper", "x-api-key": TOKEN},
        {
            "authorization": f"Bearer {TOKEN}",
            sealed_keys.HEADER: sealed_keys.seal({"http://x": "sk-foreign"}),
        },
    ],
)
@pytest.mark.parametrize("name", ["m", "native", "first/any"])
async def test_the_key_takes_the_tokens_place(name: str, headers: dict[str, str]) -> None:
    async with stage(Source("sk-1", account="acct-7")) as running:
        assert (await running.ask(name, key=None, headers=headers)).status == 200
        (request,) = running.first.requests
        assert sent_key(request) == "sk-1"
        assert request.header("account") == "acct-7"
        seen = json.dumps(request.headers) + request.path + request.body.decode()
        assert TOKEN not in seen
        assert "foreign" not in seen
        assert sealed_keys.HEADER not in seen


async def test_each_provider_gets_its_own() -> None:
    async with stage(Source("sk-1", account="acct-7"), Source("sk-2")) as running:
        assert (await running.ask("m")).status == 200
        assert (await running.ask("other")).status == 200
        assert [sent_key(request) for request in running.first.requests] == ["sk-1"]
        assert [sent_key(request) for request in running.second.requests] == ["sk-2"]
        assert running.second.requests[0].header("account") is None


async def test_a_provider_without_a_key_is_not_asked() -> None:
    async with stage(Source("sk-1")) as running:
        reply = await running.ask("other")
        assert (reply.status, reply.headers["x-should-retry"]) == (401, "false")
        assert running.second.requests == []


async def test_listing_uses_the_sessions_keys() -> None:
    async with stage(Source("sk-1", account="acct-7")) as running:
        assert (await ask(running.proxy, None, method="GET", path="/v1/models", key=TOKEN)).status == 200
        (request,) = running.first.requests
        assert (request.path, sent_key(request)) == ("/v1/models", "sk-1")
        assert request.header("account") == "acct-7"


async def test_listing_without_a_key_that_can_be_had() -> None:
    async with stage(Source(CredentialError("no"))) as running:
        assert (await ask(running.proxy, None, method="GET", path="/v1/models", key=TOKEN)).status == 200
        assert [sent_key(request) for request in running.first.requests] == [""]


@pytest.mark.parametrize("name", ["m", "native"])
@pytest.mark.parametrize("streamed", [True, False])
async def test_a_refused_key_is_renewed_once(name: str, streamed: bool) -> None:
    source = Source("sk-planted-old-0001", "sk-planted-new-0002", "sk-planted-last-0003")
    async with stage(source, accepted="sk-planted-new-0002") as running:
        assert (await running.ask(name, body={"stream": streamed})).status == 200
        assert [sent_key(request) for request in running.first.requests] == [
            "sk-planted-old-0001",
            "sk-planted-new-0002",
        ]
        assert (await running.ask(name, body={"stream": streamed})).status == 200
        assert source.renewals == 1
    source = Source("sk-planted-old-0001", "sk-planted-new-0002", "sk-planted-last-0003")
    async with stage(source, accepted="sk-planted-last-0003") as running:
        reply = await running.ask(name)
        assert reply.status == 401
        assert [sent_key(request) for request in running.first.requests] == [
            "sk-planted-old-0001",
            "sk-planted-new-0002",
        ]
        if name == "m":  # a native provider's refusal is passed through as it is
            assert "sk-planted-new-0002" not in reply.body.decode()


async def test_requests_that_are_refused_together_renew_once() -> None:
    source = Source("sk-planted-old-0001", "sk-planted-new-0002", "sk-planted-last-0003")
    async with stage(source, accepted="sk-planted-new-0002") as running:
        replies = await asyncio.gather(*[running.ask() for _ in range(8)])
        assert [reply.status for reply in replies] == [200] * 8
        assert source.renewals == 1


async def test_counting_renews_too() -> None:
    async with stage(
        Source("sk-planted-old-0001", "sk-planted-new-0002"), accepted="sk-planted-new-0002"
    ) as running:
        reply = await running.ask("native", path="/v1/messages/count_tokens")
        assert reply.status == 200
        assert [sent_key(request) for request in running.first.requests] == [
            "sk-planted-old-0001",
            "sk-planted-new-0002",
        ]


async def test_a_source_without_another_key() -> None:
    """The provider's own refusal says more than we can."""
    source = Source("sk-planted-old-0001")
    async with stage(source, accepted="sk-planted-new-0002") as running:
        reply = await running.ask()
        assert reply.status == 401
        assert "has expired" in reply.json["error"]["message"]
        assert "sk-planted-old-0001" not in reply.body.decode()
        assert len(running.first.requests) == 1


async def test_a_renewal_that_fails() -> None:
    failed = CredentialError("the login has ended", "ccproxy login first")
    async with stage(Source("sk-planted-old-0001", failed), accepted="sk-planted-new-0002") as running:
        reply = await running.ask()
        assert (reply.status, reply.headers["x-should-retry"]) == (401, "false")
        assert reply.json["error"]["message"] == "m: the login has ended (hint: ccproxy login first)"


@pytest.mark.parametrize(("transient", "status"), [(True, 502), (False, 401)])
async def test_a_key_that_cannot_be_had(transient: bool, status: int) -> None:
    source = Source(CredentialError("nobody answers", transient=transient))
    async with stage(source, Source("sk-2")) as running:
        reply = await running.ask()
        assert reply.status == status
        assert "nobody answers" in reply.json["error"]["message"]
        # An outage is a reason to move on, a login that has ended is not.
        assert (await running.ask("falls")).status == (200 if transient else 401)
        assert running.first.requests == []
