"""A shared server: each client has a token, and the provider's key comes beside it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.core import sealed_keys
from tests.server.byte_upstream import running_upstream, say_hello
from tests.server.harness import BODY, ask, model, running_proxy

if TYPE_CHECKING:
    from pathlib import Path

TOKEN, PROVIDER = "team-token-0815", "provider-key-4711"


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text(f"sha256:{hashlib.sha256(TOKEN.encode()).hexdigest()} team\n")
    return path


@pytest.mark.parametrize(
    ("headers", "status", "sent"),
    [
        ({}, 401, ""),
        ({"authorization": "Bearer guess"}, 401, ""),
        ({"authorization": f"Bearer {TOKEN}x", "x-upstream-key": PROVIDER}, 401, ""),
        ({"x-upstream-key": TOKEN}, 401, ""),
        ({"authorization": f"Bearer {TOKEN}"}, 401, ""),
        ({"authorization": f"Bearer {TOKEN}", "x-upstream-key": PROVIDER}, 200, "authorization"),
        ({"x-api-key": TOKEN, "x-upstream-key": PROVIDER}, 200, "x-api-key"),
        (
            {"x-api-key": TOKEN, "authorization": "Bearer else", "x-upstream-key": PROVIDER},
            200,
            "authorization",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["openai", "anthropic"])
async def test_each_request_needs_a_token(
    headers: dict[str, str], status: int, sent: str, kind: str, tokens: Path
) -> None:
    async with running_upstream(say_hello) as upstream:  # noqa: SIM117 - the proxy asks it
        async with running_proxy([model(upstream.base, format=kind)], client_tokens=tokens) as proxy:
            extra = {"x-proxy-admin-token": "secret-of-an-admin"}
            reply = await ask(proxy, BODY, headers={**headers, **extra}, key=None)
            for path in ("/v1/models", "/v1/stats"):
                listed = await ask(proxy, None, method="GET", path=path, headers=headers, key=None)
                known = TOKEN in headers.get("x-api-key", "") + headers.get("authorization", "") and not any(
                    value[-1] == "x" for value in headers.values()
                )
                assert listed.status == (200 if known else 401)
            assert (await ask(proxy, None, method="GET", path="/health", key=None)).status == 200
    assert reply.status == status
    assert len(upstream.requests) == (status == 200)
    for request in upstream.requests:
        text = repr(request.headers)
        assert TOKEN not in text
        assert "admin" not in text
        assert "x-upstream-key" not in text.lower()
        name = sent if kind == "anthropic" else "authorization"
        assert PROVIDER in (request.header(name) or "")


async def test_sealed_keys_go_with_a_token(tokens: Path) -> None:
    async with running_upstream(say_hello) as upstream:  # noqa: SIM117 - the proxy asks it
        async with running_proxy([model(f"{upstream.base}/v1")], client_tokens=tokens) as proxy:
            sealed = sealed_keys.seal({f"{upstream.base}/v1": PROVIDER})
            headers = {"authorization": f"Bearer {TOKEN}", sealed_keys.HEADER: sealed}
            assert (await ask(proxy, BODY, headers=headers, key=None)).status == 200
    assert upstream.requests[0].header("authorization") == f"Bearer {PROVIDER}"


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
@pytest.mark.parametrize(
    ("base", "allowed", "status"),
    [
        ("http://api.invalid/v1", False, 403),
        ("http://192.0.2.1.nip.invalid/v1", False, 403),
        ("http://api.invalid/v1", True, 502),
        ("http://nas.local.invalid./v1", False, 403),
    ],
)
async def test_no_key_goes_to_the_world_over_http(kind: str, base: str, allowed: bool, status: int) -> None:
    models = [model(base, format=kind)]
    limits = {"max_retries": 0, "connect_timeout": 1.0}
    async with running_proxy(models, allow_plain_http=allowed, **limits) as proxy:
        reply = await ask(proxy)
    assert reply.status in ((status,) if status == 403 else (502, 504))
    assert ("--allow-plain-http" in reply.json["error"]["message"]) is (status == 403)
