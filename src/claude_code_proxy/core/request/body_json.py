"""The JSON of a request, read part by part.

A session repeats its tools, most of a short request, with every message; and a large document read in one
call would keep every other stream waiting, since the interpreter cannot be had meanwhile.
"""

from __future__ import annotations

from typing import Any

from claude_code_proxy.core import wire
from claude_code_proxy.core.request.tool_cache import ToolCache

LARGE = 1 << 20
"""Bytes from which the messages are read one by one: a call on fewer takes a few milliseconds at most."""


def read(data: bytes, cache: ToolCache) -> Any:
    """The JSON value of a request's body. Raises `wire.WireError` with the place of the fault."""
    if len(data) < LARGE and (known := cache.recall(data)) is not None:
        return known
    fields = wire.fields(data)
    if fields is None or ("tools" not in fields and len(data) < LARGE):
        return wire.loads(data)
    return {key: _field(key, raw, cache) for key, raw in fields.items()}


def _field(key: str, raw: wire.Raw, cache: ToolCache) -> Any:
    if key == "tools":
        return cache.read(bytes(raw))
    parts = wire.elements(raw) if key == "messages" and len(raw) >= LARGE else None
    return wire.loads(raw) if parts is None else [wire.loads(part) for part in parts]
