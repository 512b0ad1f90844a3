"""The binary stream of AWS, `application/vnd.amazon.eventstream`, as server-sent events.

A frame, all numbers big-endian: u32 total length, u32 length of the headers, u32 CRC-32 of those eight bytes,
headers, payload, u32 CRC-32 of all before. A header: u8 length and name, u8 type, value. Source: botocore's
`eventstream`, and the model of Bedrock's InvokeModelWithResponseStream.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from claude_code_proxy.core import sse, wire
from claude_code_proxy.core.errors.api import ErrorType

CONTENT_TYPE = "application/vnd.amazon.eventstream"

_PRELUDE = Struct(">III")
_U32 = Struct(">I")
_AROUND = 16  # bytes of a frame beside its headers and its payload
_MAX_HEADERS = 128 << 10
_MAX_PAYLOAD = 24 << 20
_FIXED = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of the values of the header types that have one length: booleans, integers, a time, a UUID."""
_BYTES, _STRING = 6, 7  # the types whose value has its length before it


class BadFrame(ValueError):  # noqa: N818 - reads as what came
    """What came is no frame, or was changed on the way."""


class Frame(NamedTuple):
    """One frame: its text headers and its payload."""

    headers: dict[str, str]
    payload: bytes


class FrameDecoder:
    """Incremental reader: `feed` bytes cut anywhere, get the frames that are complete.

    `BadFrame` comes after the frames before it; then nothing more can be read.
    """

    def __init__(self) -> None:
        self._held = bytearray()

    @property
    def at_frame_end(self) -> bool:
        """Whether nothing of an unfinished frame is held."""
        return not self._held

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take the next read; the frames that it completed, which must all be taken. Raises `BadFrame`."""
        self._held += data
        start = 0
        while len(self._held) - start >= _PRELUDE.size:
            total, headers, checksum = _PRELUDE.unpack_from(self._held, start)
            if zlib.crc32(self._held[start : start + 8]) != checksum:
                raise BadFrame("the checksum of a frame's lengths is wrong")
            if headers > _MAX_HEADERS or not 0 <= total - _AROUND - headers <= _MAX_PAYLOAD:
                raise BadFrame("the lengths of a frame cannot be right")
            if len(self._held) - start < total:
                break
            frame = bytes(self._held[start : start + total])
            if zlib.crc32(frame[:-4]) != _U32.unpack(frame[-4:])[0]:
                raise BadFrame("the checksum of a frame is wrong")
            end = _PRELUDE.size + headers
            start += total
            yield Frame(_headers(frame[_PRELUDE.size : end]), frame[end:-4])
        del self._held[:start]


def _headers(data: bytes) -> dict[str, str]:
    """The text headers; those of other types are read over."""
    found: dict[str, str] = {}
    position = 0
    try:
        while position < len(data):
            name_end = position + 1 + data[position]
            kind = data[name_end]
            value = name_end + 1
            if kind in (_BYTES, _STRING):
                size = int.from_bytes(data[value : value + 2])
                value += 2
            else:
                size = _FIXED[kind]
            if value + size > len(data):
                raise BadFrame("a frame's header is cut")
            if kind == _STRING:
                found[data[position + 1 : name_end].decode()] = data[value : value + size].decode()
            position = value + size
    except (IndexError, KeyError, UnicodeDecodeError) as error:
        raise BadFrame("the headers of a frame cannot be read") from error
    return found


_ERRORS: dict[str, ErrorType] = {
    "validationexception": "invalid_request_error",
    "accessdeniedexception": "permission_error",
    "resourcenotfoundexception": "not_found_error",
    "throttlingexception": "overloaded_error",  # inside a stream this is the one that clients retry
    "modelnotreadyexception": "overloaded_error",
    "serviceunavailableexception": "overloaded_error",
    "modeltimeoutexception": "timeout_error",
}
"""Bedrock's exceptions by their names in lower case; any other one is an `api_error`."""


def to_sse(frame: Frame) -> bytes:
    """The server-sent event in a frame, b"" for one that Messages have no event for. Raises `BadFrame`."""
    kind = frame.headers.get(":message-type")
    if kind == "event":
        return _chunk(frame.payload) if frame.headers.get(":event-type") == "chunk" else b""
    if kind not in ("exception", "error"):
        raise BadFrame("a frame says neither event nor exception")
    name = frame.headers.get(":exception-type") or frame.headers.get(":error-code") or "an exception"
    words = frame.headers.get(":error-message") or _message(frame.payload)
    error = {"type": _ERRORS.get(name.lower(), "api_error"), "message": f"{name}: {words}" if words else name}
    return sse.encode({"type": "error", "error": error})


def _chunk(payload: bytes) -> bytes:
    try:
        event = base64.b64decode(wire.loads_bounded(payload)["bytes"], validate=True)
        kind = wire.loads_bounded(event)["type"]
    except (wire.WireError, LookupError, TypeError, binascii.Error) as error:
        raise BadFrame("a chunk holds no event") from error
    if not isinstance(kind, str) or not kind.isidentifier():
        raise BadFrame("a chunk holds no event")
    if b"\n" in event or b"\r" in event:
        event = wire.dumps(wire.loads_bounded(event))
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), event)


def _message(payload: bytes) -> str:
    try:
        said = wire.loads_bounded(payload)
    except wire.WireError:
        return payload[:500].decode("utf-8", "replace")
    words = (said.get("message") or said.get("Message")) if isinstance(said, dict) else said
    return str(words or "")
