"""The body of a client's request: read within a limit, decompressed, parsed."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from claude_code_proxy.core import wire
from claude_code_proxy.core.errors.api import ApiError, invalid_request
from claude_code_proxy.core.header_values import listed, whole_number
from claude_code_proxy.core.request import body_json

if TYPE_CHECKING:
    from claude_code_proxy.core.request.tool_cache import ToolCache
    from claude_code_proxy.server.caller.call import Call

_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_QUOTED = 40


class ClientGoneError(Exception):
    """The client went away before its request was complete."""


async def read_body(call: Call, limit: int) -> bytes:
    """The whole request body, decompressed.

    `limit` in bytes holds for what is sent and for what it unpacks to. Raises `ApiError` 413 above it, 415
    for an unknown content encoding, 400 for a broken one, and `ClientGoneError`.
    """
    if (whole_number(call.headers.get("content-length", "")) or 0) > limit:
        raise _too_large(limit)
    parts: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await call.receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
        more = message.get("more_body", False)
    return _decompress(b"".join(parts), call.headers.get("content-encoding", "identity"), limit)


def parse_object(raw: bytes, tools: ToolCache) -> dict[str, Any]:
    """The JSON object of a request body. Raises `ApiError` 400 that names the place of a fault.

    The tools in it may be those of an earlier request: they are not to be changed.
    """
    try:
        value = body_json.read(raw, tools)
    except wire.WireError as error:
        place = f"line {error.line} column {error.column}"
        raise invalid_request(f"the request body is not valid JSON: {error} at {place}") from None
    if not isinstance(value, dict):
        raise invalid_request(f"the request body must be a JSON object, not {shown(value)}")
    return value


def shown(value: Any) -> str:
    """The beginning of `value` as JSON, for an error text."""
    text = wire.dumps_text(value)
    return text if len(text) <= _QUOTED else text[:_QUOTED] + "..."


def _decompress(data: bytes, encodings: str, limit: int) -> bytes:
    for encoding in reversed(listed(encodings)):
        if encoding == "identity":
            continue
        if encoding not in _WINDOW_BITS:
            raise ApiError(
                415, "invalid_request_error", f"content-encoding {encoding!r} is not known; send gzip or none"
            )
        inflate = zlib.decompressobj(_WINDOW_BITS[encoding])
        try:
            data = inflate.decompress(data, limit + 1)
        except zlib.error:
            raise invalid_request(f"the request body is not valid {encoding} data") from None
        if len(data) > limit:
            raise _too_large(limit)
        if not inflate.eof:
            raise invalid_request(f"the {encoding} data of the request body is cut off")
    return data


def _too_large(limit: int) -> ApiError:
    return ApiError(
        413,
        "request_too_large",
        f"the request body is larger than {limit} bytes (server setting max_body_bytes)",
    )
