from __future__ import annotations

import base64

import pytest

from claude_code_proxy.core.images import ImageInfo, read_base64_image, read_image

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (640).to_bytes(4) + (480).to_bytes(4) + b"\x08\x06"
GIF = b"GIF89a" + (320).to_bytes(2, "little") + (200).to_bytes(2, "little") + b"\x00"
WEBP = b"RIFF\x00\x00\x00\x00WEBP"
VP8X = (
    WEBP
    + b"VP8X"
    + b"\x0a\x00\x00\x00"
    + bytes(4)
    + (799).to_bytes(3, "little")
    + (599).to_bytes(3, "little")
)
VP8L = WEBP + b"VP8L" + bytes(4) + b"\x2f" + (99 | 49 << 14).to_bytes(4, "little") + bytes(8)
VP8 = (
    WEBP
    + b"VP8 "
    + bytes(4)
    + b"\x00\x00\x00\x9d\x01\x2a"
    + (550).to_bytes(2, "little")
    + (368).to_bytes(2, "little")
)


def jpeg(metadata: int, frame: int = 0xC2, fill: bytes = b"") -> bytes:
    segment = b"\xff\xe1" + metadata.to_bytes(2) + bytes(metadata - 2)
    table = b"\xff\xc4\x00\x04\x00\x00"
    size = b"\x00\x11\x08" + (720).to_bytes(2) + (1280).to_bytes(2)
    return b"\xff\xd8" + segment + table + fill + bytes((0xFF, frame)) + size


KNOWN = {
    "png": (PNG, ImageInfo("image/png", 640, 480)),
    "gif": (GIF, ImageInfo("image/gif", 320, 200)),
    "webp extended": (VP8X, ImageInfo("image/webp", 800, 600)),
    "webp lossless": (VP8L, ImageInfo("image/webp", 100, 50)),
    "webp lossy": (VP8, ImageInfo("image/webp", 550, 368)),
    "jpeg": (jpeg(16), ImageInfo("image/jpeg", 1280, 720)),
    "jpeg with a fill byte": (jpeg(16, fill=b"\xff"), ImageInfo("image/jpeg", 1280, 720)),
    "jpeg baseline": (jpeg(16, 0xC0), ImageInfo("image/jpeg", 1280, 720)),
    "jpeg with much metadata": (jpeg(60000), ImageInfo("image/jpeg", 1280, 720)),
}


@pytest.mark.parametrize(("raw", "expected"), KNOWN.values(), ids=KNOWN)
def test_size(raw: bytes, expected: ImageInfo) -> None:
    assert read_image(raw) == expected
    assert read_base64_image(base64.b64encode(raw + bytes(3000)).decode()) == expected
    assert read_base64_image(base64.encodebytes(raw).decode()) == expected


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"hello",
        PNG[:20],
        GIF[:8],
        VP8X[:20],
        WEBP + b"ODD " + bytes(20),
        jpeg(200)[:150],
        b"\xff\xd8\xff",
    ],
)
def test_unknown(raw: bytes) -> None:
    assert read_image(raw) is None


def test_every_truncation_is_survived() -> None:
    for raw, expected in KNOWN.values():
        for end in range(min(len(raw), 200)):
            assert read_image(raw[:end]) in (None, expected)


@pytest.mark.parametrize("data", ["\u00e9\u00e9\u00e9\u00e9", "", "A", "!!!!"])
def test_not_base64(data: str) -> None:
    assert read_base64_image(data) is None
