"""`GET /test-connection`: whether each configured upstream takes a connection."""

from __future__ import annotations

from claude_code_proxy.server.caller.call import Call
from claude_code_proxy.server.gateway import Gateway


async def test_connection(gateway: Gateway, call: Call) -> None:
    """Answer what is configured and which upstream takes a TCP and TLS connection; sends nothing to any."""
    bases: dict[str, list[str]] = {}
    for config in gateway.models.table.models:
        bases.setdefault(config.api_base, []).append(config.model_id)
    results = await gateway.reachability.of(list(bases))
    upstreams = [
        {"api_base": api_base, "models": models, **result}
        for (api_base, models), result in zip(bases.items(), results, strict=True)
    ]
    status = "ok" if all(result["reachable"] for result in results) else "failing"
    await call.respond_json({"status": status, "upstreams": upstreams})
