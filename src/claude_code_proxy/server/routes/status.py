"""The small answers: is the server there, is it well, what has it done."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

from claude_code_proxy import __version__
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.server.caller.call import Call
from claude_code_proxy.server.gateway import Gateway
from claude_code_proxy.server.records.metrics import CONTENT_TYPE


async def hello(gateway: Gateway, call: Call) -> None:
    """Answer that this is the proxy; Claude Code asks `HEAD /` or `HEAD /api/hello` when it starts."""
    private = {"private": True} if gateway.private else {}
    await call.respond_json({"name": "claude-code-proxy", "version": __version__, **private})


async def health(gateway: Gateway, call: Call) -> None:
    """Answer that the server is up. Asks no upstream: theirs is no reason to restart this server."""
    await call.respond_json({"status": "ok", "models": len(gateway.models.table.models)})


async def ready(gateway: Gateway, call: Call) -> None:
    """Answer 200 where another request would be taken, else 503: a load balancer may ask another server."""
    if gateway.admission.is_full:
        await call.respond_json({"status": "full"}, 503)
    else:
        await call.respond_json({"status": "ready"})


async def metrics(gateway: Gateway, call: Call) -> None:
    """Answer the metrics in Prometheus's format. Raises `ApiError` 404 where they are not switched on."""
    if gateway.metrics is None:
        raise ApiError(404, "not_found_error", "metrics are not switched on (serve --metrics)")
    gateway.metrics.now(gateway.admission.calls)
    body = await asyncio.to_thread(gateway.metrics.render)
    await call.respond(200, body, [(b"content-type", CONTENT_TYPE)])


async def stats(gateway: Gateway, call: Call) -> None:
    """Answer the statistics of this process, and what it has learned about its models."""
    await call.respond_json({**gateway.stats.snapshot(), "learned": gateway.learned.snapshot()})


async def sessions(gateway: Gateway, call: Call) -> None:
    """Answer the sessions of this process, and the last requests of `?id=`. Raises `ApiError` 404."""
    if gateway.sessions is None:
        raise ApiError(404, "not_found_error", "sessions are not looked at (serve --cache-proof)")
    answer: dict[str, object] = {"sessions": gateway.sessions.snapshot()}
    if named := parse_qs(call.query).get("id"):
        answer["requests"] = gateway.sessions.requests(named[-1])
    await call.respond_json(answer)
