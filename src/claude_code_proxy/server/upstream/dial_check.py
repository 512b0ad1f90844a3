"""Whether upstreams take a connection."""

from __future__ import annotations

import asyncio
import ssl
import time
from asyncio import open_connection
from typing import Any
from urllib.parse import urlsplit

_LIMIT = 3.0  # seconds for each upstream
_AT_ONCE = 16
_MOST = 64  # upstreams that are dialled; further ones are reported as not tried
_FRESH = 5.0  # seconds for which what was found is answered again


class Reachability:
    """Dials the upstreams of one process: once for all who ask at a time, and not again for a moment."""

    def __init__(self) -> None:
        self._bases: list[str] = []
        self._found: asyncio.Future[list[dict[str, Any]]] | None = None
        self._began = 0.0

    async def of(self, bases: list[str]) -> list[dict[str, Any]]:
        """What became of a connection to each of `bases`."""
        now = time.monotonic()
        found = self._found
        if found is None or bases != self._bases or (found.done() and now - self._began > _FRESH):
            self._bases, self._began = bases, now
            found = self._found = asyncio.ensure_future(_dial(bases))
        return await asyncio.shield(found)  # others may wait for it too


async def _dial(bases: list[str]) -> list[dict[str, Any]]:
    gate = asyncio.Semaphore(_AT_ONCE)
    # It reads all authorities, which takes milliseconds: one for all dials, made beside the loop.
    context = await asyncio.to_thread(ssl.create_default_context)
    results = await asyncio.gather(*(_check(api_base, gate, context) for api_base in bases[:_MOST]))
    error = f"not tried: at most {_MOST} upstreams are"
    return [*results, *({"reachable": False, "error": error} for _ in bases[_MOST:])]


async def _check(api_base: str, gate: asyncio.Semaphore, context: ssl.SSLContext) -> dict[str, Any]:
    address = urlsplit(api_base)
    secure = address.scheme == "https"
    port = address.port or (443 if secure else 80)
    try:
        async with gate, asyncio.timeout(_LIMIT):
            _, writer = await open_connection(address.hostname, port, ssl=context if secure else None)
            writer.close()
    except TimeoutError:
        return {"reachable": False, "error": f"no connection within {_LIMIT:g} s"}
    except OSError as error:
        return {"reachable": False, "error": error.strerror or str(error)}
    return {"reachable": True}
