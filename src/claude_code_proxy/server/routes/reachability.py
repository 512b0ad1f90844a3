"""`GET /test-connection`: whether each configured upstream takes a connection."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from claude_code_proxy.server.caller.call import Call
    from claude_code_proxy.server.gateway import Gateway

_LIMIT = 3.0  # seconds for each upstream
_AT_ONCE = 16


async def test_connection(gateway: Gateway, call: Call) -> None:
    """Answer what is configured and which upstream takes a TCP and TLS connection; sends nothing to any."""
    bases: dict[str, list[str]] = {}
    for config in gateway.models.table.models:
        bases.setdefault(config.api_base, []).append(config.model_id)
    gate = asyncio.Semaphore(_AT_ONCE)
    results = await asyncio.gather(*(_check(api_base, gate) for api_base in bases))
    upstreams = [
        {"api_base": api_base, "models": models, **result}
        for (api_base, models), result in zip(bases.items(), results, strict=True)
    ]
    status = "ok" if all(result["reachable"] for result in results) else "failing"
    await call.respond_json({"status": status, "upstreams": upstreams})


async def _check(api_base: str, gate: asyncio.Semaphore) -> dict[str, Any]:
    address = urlsplit(api_base)
    secure = address.scheme == "https"
    port = address.port or (443 if secure else 80)
    context = ssl.create_default_context() if secure else None
    try:
        async with gate, asyncio.timeout(_LIMIT):
            _, writer = await asyncio.open_connection(address.hostname, port, ssl=context)
            writer.close()
    except TimeoutError:
        return {"reachable": False, "error": f"no connection within {_LIMIT:g} s"}
    except OSError as error:
        return {"reachable": False, "error": error.strerror or str(error)}
    return {"reachable": True}
