"""Frames of AWS's event stream, written after its documentation."""

from __future__ import annotations

import base64
import json
import struct
import zlib

EVENT = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    parts = b""
    for name, value in headers.items():
        parts += struct.pack(">B", len(name.encode())) + name.encode()
        parts += b"\x07" + struct.pack(">H", len(value.encode())) + value.encode()
    lengths = struct.pack(">II", 16 + len(parts) + len(payload), len(parts))
    data = lengths + struct.pack(">I", zlib.crc32(lengths)) + parts + payload
    return data + struct.pack(">I", zlib.crc32(data))


def chunk(event: bytes) -> bytes:
    """One event of a Messages stream as Bedrock sends it."""
    return frame(EVENT, b'{"bytes":"%b"}' % base64.b64encode(event))


def exception(name: str, message: str) -> bytes:
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return frame(headers, json.dumps({"message": message}).encode())
