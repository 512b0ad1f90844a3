"""The body of a client's request: read within a limit, decompressed, parsed."""

from __future__ import annotations

import asyncio
import zlib
from typing import Any

from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.core import wire
from claude_code_proxy.core.errors.api import ApiError, invalid_request
from claude_code_proxy.core.header_values import listed, whole_number
from claude_code_proxy.core.request import body_json
from claude_code_proxy.core.request.fields import kind_of
from claude_code_proxy.core.request.tool_cache import ToolCache
from claude_code_proxy.server.caller.admission import Admission
from claude_code_proxy.server.caller.call import Call

_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_MOST_ENCODINGS = 3
_QUOTED = 40
_ALWAYS = 1 << 20  # bytes that any compressed body may unpack to


class ClientGoneError(Exception):
    """The client went away before its request was complete."""


async def read_body(call: Call, settings: ServerSettings, admission: Admission) -> bytes:
    """The whole request body, decompressed.

    `max_body_bytes` holds for what is sent and for what it unpacks to. Raises `ApiError` 413 above it, 529
    when too many bytes are held already, 415 for an unknown content encoding, 400 for a broken one, and
    `ClientGoneError`. That it arrives in time is the connection's to see to.
    """
    limit = settings.max_body_bytes
    if (announced := whole_number(call.headers.get("content-length", "")) or 0) > limit:
        raise _too_large(limit)
    if admission.bytes + announced > settings.max_bytes_in_flight:
        admission.hold(call, announced)  # it says so before any of it is read
    data = await _receive(call, limit, admission)
    if "content-encoding" not in call.headers:
        return data
    encodings = [name for name in listed(call.headers["content-encoding"]) if name != "identity"]
    if not encodings:
        return data
    ratio = settings.max_unpack_ratio
    unpacked = await asyncio.to_thread(_decompress, data, encodings, limit, ratio)
    admission.hold(call, len(unpacked))
    return unpacked


async def _receive(call: Call, limit: int, admission: Admission) -> bytes:
    data = bytearray()
    while True:
        message = await call.receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        part: bytes = message.get("body", b"")
        if len(data) + len(part) > limit:
            raise _too_large(limit)
        admission.hold(call, len(part))
        is_last = not message.get("more_body", False)
        if is_last and not data:
            return part  # most bodies come in one part, which need not be copied
        data += part
        if is_last:
            return bytes(data)


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


def parse_within_limits(raw: bytes, tools: ToolCache, settings: ServerSettings) -> dict[str, Any]:
    """`parse_object` where the body has no more elements and levels than `settings` allow.

    Raises `ApiError` 413 for elements, 400 for levels.
    """
    if wire.has_more_elements(raw, settings.max_json_elements):
        raise ApiError(
            413,
            "request_too_large",
            f"the request body has more than {settings.max_json_elements} JSON elements "
            "(server setting max_json_elements)",
        )
    body = parse_object(raw, tools)
    fresh = dict(body)
    if tools.knows(body.get("tools")):  # they were looked at when they were read first
        del fresh["tools"]
    if wire.is_deeper(fresh, settings.max_json_depth):
        raise invalid_request(
            f"the request body has more than {settings.max_json_depth} levels of objects and arrays "
            "(server setting max_json_depth)"
        )
    return body


def shown(value: Any) -> str:
    """The beginning of `value` as JSON, for an error text; the kind of what is large."""
    if isinstance(value, dict | list):
        return kind_of(value)
    value = value[: _QUOTED + 1] if isinstance(value, str) else value
    text = wire.dumps_text(value)
    return text if len(text) <= _QUOTED else text[:_QUOTED] + "..."


def _decompress(data: bytes, encodings: list[str], limit: int, ratio: int) -> bytes:
    if len(encodings) > _MOST_ENCODINGS:
        raise ApiError(
            415, "invalid_request_error", f"content-encoding: at most {_MOST_ENCODINGS}, one on the other"
        )
    most = min(limit, max(ratio * len(data), _ALWAYS))
    for encoding in reversed(encodings):
        if encoding not in _WINDOW_BITS:
            raise ApiError(
                415,
                "invalid_request_error",
                f"content-encoding {encoding[:_QUOTED]!r} is not known; send gzip or none",
            )
        inflate = zlib.decompressobj(_WINDOW_BITS[encoding])
        try:
            data = inflate.decompress(data, most + 1)
        except zlib.error:
            raise invalid_request(f"the request body is not valid {encoding} data") from None
        if len(data) > limit:
            raise _too_large(limit)
        if len(data) > most:
            raise ApiError(
                413,
                "request_too_large",
                f"the request body unpacks to more than {ratio} times its size "
                "(server setting max_unpack_ratio)",
            )
        if not inflate.eof:
            raise invalid_request(f"the {encoding} data of the request body is cut off")
    return data


def _too_large(limit: int) -> ApiError:
    return ApiError(
        413,
        "request_too_large",
        f"the request body is larger than {limit} bytes (server setting max_body_bytes)",
    )
