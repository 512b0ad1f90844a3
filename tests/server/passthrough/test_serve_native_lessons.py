"""Hosts of Claude that lag behind Anthropic: asked again without what they refuse, and from then on so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.byte_upstream import Connection, Request, running_upstream
from tests.server.clouds import VERTEX, invoke, messages, vertex
from tests.server.harness import BODY, ask, model, running_proxy

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.byte_upstream import Script

BETAS = "claude-code-20250219,effort-2025-11-24,prompt-caching-scope-2026-01-05"
SENT: dict[str, Any] = {
    **BODY,
    "context_management": {"edits": []},
    "tools": [{"name": "a", "input_schema": {}}, {"name": "b", "input_schema": {}, "defer_loading": True}],
}
NAMES = {"vertex": "claude-x", "bedrock": "us.anthropic.claude-x", "azure": "claude-x"}
BASES = {"vertex": VERTEX, "bedrock": "/model", "azure": "/anthropic"}


def says(kind: str, message: str) -> dict[str, Any]:
    if kind == "bedrock":
        return {"message": message}
    return {"type": "error", "error": {"type": "invalid_request_error", "message": message}}


def picky(kind: str, takes: str) -> Script:
    """A host that takes the betas with `takes` in them only, no deferred tools and no context management."""
    scripts: dict[str, Callable[[], Script]] = {"vertex": vertex, "bedrock": invoke, "azure": messages}
    served = scripts[kind]()

    async def script(request: Request, connection: Connection) -> None:
        body = request.json
        flags = body.get("anthropic_beta") or (request.header("anthropic-beta") or "").split(",")
        refused = [flag for flag in flags if flag and (not takes or takes not in flag)]
        message = ""
        if refused and kind == "bedrock":
            message = "The model returned the following errors: invalid beta flag"
        elif refused:
            message = f"Unexpected value(s) `{'`, `'.join(refused)}` for the `anthropic-beta` header."
        elif any("defer_loading" in tool for tool in body.get("tools", ())):
            message = "tools.1.custom.defer_loading: Extra inputs are not permitted"
        elif "context_management" in body:
            message = "context_management: Extra inputs are not permitted"
        if message:
            await connection.whole(400, says(kind, message))
        else:
            await served(request, connection)

    return script


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("kind", "takes", "kept"),
    [
        ("vertex", "claude-code", ["claude-code-20250219"]),
        ("azure", "effort", ["effort-2025-11-24"]),
        ("bedrock", "claude-code", []),  # it does not say which
    ],
)
async def test_what_is_refused_is_left_out_from_then_on(
    kind: str, takes: str, kept: list[str], streamed: bool
) -> None:
    headers = {"anthropic-beta": BETAS, "anthropic-version": "2023-06-01"}
    async with running_upstream(picky(kind, takes)) as upstream:
        base = upstream.base + BASES[kind]
        entry = model(base, format="anthropic", profile=kind, model_name=NAMES[kind])
        async with running_proxy([entry]) as proxy:
            first = await ask(proxy, {**SENT, "stream": streamed}, headers=headers)
            before = len(upstream.requests)
            second = await ask(proxy, {**SENT, "stream": streamed}, headers=headers)
            learned = proxy.gateway.native_lessons.of(proxy.gateway.models.table.models[0]).native
    assert (first.status, second.status) == (200, 200)
    assert (before, len(upstream.requests)) == (4, 5)
    last = upstream.requests[-1]
    flags = last.json.get("anthropic_beta") or (last.header("anthropic-beta") or "").split(",")
    assert [flag for flag in flags if flag] == kept
    assert last.json["tools"][1] == {"name": "b", "input_schema": {}}
    assert "context_management" not in last.json
    assert learned.drop_fields == ("tools.*.defer_loading", "context_management")


async def test_lessons_add_up() -> None:
    async with running_upstream(picky("vertex", "claude-code")) as upstream:
        entry = model(upstream.base + VERTEX, format="anthropic", profile="vertex", model_name="claude-x")
        async with running_proxy([entry]) as proxy:
            for body, headers in ((BODY, {"anthropic-beta": BETAS}), (SENT, {})) * 2:
                assert (await ask(proxy, body, headers=headers)).status == 200
    assert [len(upstream.requests)] == [2 + 3 + 1 + 1]


async def test_what_cannot_be_helped_is_told_once() -> None:
    async def script(request: Request, connection: Connection) -> None:
        await connection.whole(400, says("vertex", "messages.0.role: Extra inputs are not permitted"))

    async with running_upstream(script) as upstream:
        entry = model(upstream.base + VERTEX, format="anthropic", profile="vertex")
        async with running_proxy([entry]) as proxy:
            reply = await ask(proxy)
            lessons = proxy.gateway.native_lessons
            assert lessons.of(proxy.gateway.models.table.models[0]).native.drop_fields == ()
    assert reply.status == 400
    assert len(upstream.requests) == 2  # without it, and then it is the same


async def test_anthropic_and_unknown_hosts_are_not_asked_again() -> None:
    async def script(request: Request, connection: Connection) -> None:
        await connection.whole(400, says("", "invalid beta flag"))

    async with (
        running_upstream(script) as upstream,
        running_proxy([model(upstream.base, format="anthropic")]) as proxy,
    ):
        reply = await ask(proxy, headers={"anthropic-beta": BETAS})
    assert json.loads(reply.body) == says("", "invalid beta flag")
    assert len(upstream.requests) == 1


async def test_it_ends_after_a_few_times() -> None:
    async def script(request: Request, connection: Connection) -> None:
        flag = request.header("anthropic-beta").split(",")[0]  # type: ignore[union-attr]
        await connection.whole(
            400, says("", f"Unexpected value(s) `{flag}` for the `anthropic-beta` header.")
        )

    betas = ",".join(f"beta-{number}-2026" for number in range(30))
    async with running_upstream(script) as upstream:
        entry = model(upstream.base + "/anthropic", format="anthropic", profile="azure")
        async with running_proxy([entry]) as proxy:
            reply = await ask(proxy, headers={"anthropic-beta": betas})
    assert reply.status == 400
    assert len(upstream.requests) == 7
