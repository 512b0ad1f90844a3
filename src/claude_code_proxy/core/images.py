"""Kind and pixel size of an image, from its first bytes: PNG, JPEG, GIF, WebP."""

from __future__ import annotations

import binascii
from typing import NamedTuple

_SNIFF_CHARS = 64
_JPEG_CHARS = 128 * 1024  # a photograph's metadata and colour profile stand before its size
_JPEG_NO_SIZE = frozenset({0xC4, 0xC8, 0xCC})  # between the frame headers: tables and a reserved marker


class ImageInfo(NamedTuple):
    """`media_type` as the bytes say, whatever the sender called it; `width` and `height` in pixels."""

    media_type: str
    width: int
    height: int


def read_base64_image(data: str) -> ImageInfo | None:
    """The image in base64 `data`, of which only the beginning is decoded; None if it cannot be told."""
    head = _decode(data[:_SNIFF_CHARS])
    if head.startswith(b"\xff\xd8\xff"):
        head = _decode(data[:_JPEG_CHARS])
    return read_image(head)


def media_type(head: bytes) -> str | None:
    """The media type that the first bytes of an image show, if it is one of the four usual ones."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    return None


def read_image(head: bytes) -> ImageInfo | None:
    """The image that begins with the bytes `head`; None if its kind is unknown or its size not in them."""
    match media_type(head):
        case "image/png" if len(head) >= 24:
            return ImageInfo("image/png", int.from_bytes(head[16:20]), int.from_bytes(head[20:24]))
        case "image/gif" if len(head) >= 10:
            return ImageInfo("image/gif", _little(head[6:8]), _little(head[8:10]))
        case "image/webp":
            return _webp(head)
        case "image/jpeg":
            return _jpeg(head)
        case _:
            return None


def _decode(text: str) -> bytes:
    compact = "".join(text.split())
    try:
        return binascii.a2b_base64(compact[: len(compact) // 4 * 4])
    except (binascii.Error, ValueError):
        return b""


def _little(raw: bytes) -> int:
    return int.from_bytes(raw, "little")


def _webp(head: bytes) -> ImageInfo | None:
    """RFC 9649: the three kinds of first chunk."""
    kind = head[12:16]
    if len(head) < 30:
        return None
    if kind == b"VP8X":
        return ImageInfo("image/webp", _little(head[24:27]) + 1, _little(head[27:30]) + 1)
    if kind == b"VP8L":
        bits = _little(head[21:25])
        return ImageInfo("image/webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 ":
        return ImageInfo("image/webp", _little(head[26:28]) & 0x3FFF, _little(head[28:30]) & 0x3FFF)
    return None


def _jpeg(head: bytes) -> ImageInfo | None:
    """ITU T.81: the size stands in the frame header (SOF0 to SOF15)."""
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in _JPEG_NO_SIZE:
            height, width = int.from_bytes(head[at + 5 : at + 7]), int.from_bytes(head[at + 7 : at + 9])
            return ImageInfo("image/jpeg", width, height)
        else:
            at += 2 + int.from_bytes(head[at + 2 : at + 4])
    return None
