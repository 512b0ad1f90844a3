"""Answers as bytes, cut in every way, and bytes that are no answer."""

from __future__ import annotations

import gzip
import json
import zlib
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_code_proxy.http1 import AnswerError, CutError
from claude_code_proxy.http1.coding import Decoder
from claude_code_proxy.http1.response_reader import BODY, DONE, HEAD, IDLE, LIMIT, AnswerParser
from tests import paths

if TYPE_CHECKING:
    from collections.abc import Sequence

PUBLISHED = json.loads((paths.CASES / "http1" / "published.json").read_text())
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"

# name, bytes, status, body, whether the connection may serve another request
ANSWERS: list[tuple[str, bytes, int, bytes, bool]] = [
    ("length", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello", True),
    ("no body", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200, b"", True),
    ("chunked", CHUNKED + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", 200, b"hello world", True),
    ("large chunk", CHUNKED + b"FFF\r\n" + b"x" * 4095 + b"\r\n0\r\n\r\n", 200, b"x" * 4095, True),
    ("no chunk", CHUNKED + b"0\r\n\r\n", 200, b"", True),
    ("extensions", CHUNKED + b'5;a=b;c="d;e"\r\nhello\r\n0;z\r\n\r\n', 200, b"hello", True),
    ("size with zeros", CHUNKED + b"0005\r\nhello\r\n000\r\n\r\n", 200, b"hello", True),
    ("size with spaces", CHUNKED + b"5  \r\nhello\r\n0\r\n\r\n", 200, b"hello", True),
    ("trailer", CHUNKED + b"5\r\nhello\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n", 200, b"hello", True),
    ("close", b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi", 200, b"hi", False),
    ("1.0", b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi", 200, b"hi", False),
    (
        "1.0 kept",
        b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nhi",
        200,
        b"hi",
        True,
    ),
    ("204", b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
    ("304", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", 304, b"", True),
    ("no reason", b"HTTP/1.1 503 \r\ncontent-length: 2\r\n\r\nno", 503, b"no", True),
    ("status alone", b"HTTP/1.1 503\r\ncontent-length: 2\r\n\r\nno", 503, b"no", True),
    ("bare LF", b"HTTP/1.1 200 OK\ncontent-length: 2\n\nhi", 200, b"hi", True),
    ("odd status", b"HTTP/1.1 599 Odd\r\ncontent-length: 2\r\n\r\nhi", 599, b"hi", True),
    (
        "interim",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
        200,
        b"hi",
        True,
    ),
    (
        "offers another protocol",
        b"HTTP/1.1 200 OK\r\nupgrade: h2c\r\nconnection: upgrade\r\ncontent-length: 2\r\n\r\nhi",
        200,
        b"hi",
        True,
    ),
]
UNTIL_CLOSED: list[tuple[str, bytes, bytes]] = [
    ("1.1", b"HTTP/1.1 200 OK\r\n\r\nhello", b"hello"),
    ("1.0", b"HTTP/1.0 200 OK\r\n\r\nhello", b"hello"),
    ("close", b"HTTP/1.1 500 No\r\nconnection: close\r\n\r\nhello", b"hello"),
    ("nothing", b"HTTP/1.1 200 OK\r\n\r\n", b""),
]
REFUSED: list[tuple[str, bytes]] = [
    ("length and coding", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n"),
    ("coding and length", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n"),
    ("two lengths", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n"),
    ("list of lengths", b"HTTP/1.1 200 OK\r\ncontent-length: 5, 6\r\n\r\n"),
    ("negative length", b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n"),
    ("length with sign", b"HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\n"),
    ("endless length", b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999999\r\n\r\n"),
    ("gzip, chunked", b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n"),
    ("chunked, gzip", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip\r\n\r\n"),
    ("chunked twice", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n"),
    ("xchunked", b"HTTP/1.1 200 OK\r\ntransfer-encoding: xchunked\r\n\r\n"),
    ("folded", b"HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n"),
    ("space in a name", b"HTTP/1.1 200 OK\r\na : b\r\n\r\n"),
    ("no name", b"HTTP/1.1 200 OK\r\n: b\r\n\r\n"),
    ("NUL", b"HTTP/1.1 200 OK\r\na: b\0\r\n\r\n"),
    ("lone CR", b"HTTP/1.1 200 OK\r\na: b\rc: d\r\n\r\n"),
    ("not hexadecimal", CHUNKED + b"x\r\n"),
    ("chunk overflow", CHUNKED + b"fffffffffffffffff\r\n"),
    ("chunk too long", CHUNKED + b"1\r\nxx\r\n"),
    ("HTTP/2", b"HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n"),
    ("HTTP/0.9", b"HTTP/0.9 200 OK\r\ncontent-length: 0\r\n\r\n"),
    ("RTSP", b"RTSP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n"),
    ("status 99", b"HTTP/1.1 099 Odd\r\ncontent-length: 0\r\n\r\n"),
    ("status 1000", b"HTTP/1.1 1000 Odd\r\n\r\n"),
    ("no status", b"HTTP/1.1 banana\r\n\r\n"),
    ("101", b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
    ("interim with a body", b"HTTP/1.1 199 Odd\r\ncontent-length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n\r\n"),
    ("a request", b"POST / HTTP/1.1\r\n\r\n"),
    ("TLS", b"\x16\x03\x01\x02\x00"),
    ("SSH", b"SSH-2.0-OpenSSH\r\n"),
]


def parse(*pieces: bytes, closed: bool = False) -> tuple[AnswerParser, bytes]:
    """The parser after `pieces`, and the body that it gave."""
    parser = AnswerParser()
    parser.begin()
    body = b""
    for piece in pieces:
        parser.feed(piece)
        if parser.pieces:
            body += parser.take()
    if closed:
        parser.end(cleanly=True)
    return parser, body


def bytewise(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def named(cases: Sequence[tuple[Any, ...]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case[0] for case in cases])


@named(ANSWERS)
def test_whole_and_byte_by_byte(case: tuple[str, bytes, int, bytes, bool]) -> None:
    _, data, status, expected, keeps = case
    for pieces in ([data], bytewise(data)):
        parser, body = parse(*pieces)
        assert (parser.stage, parser.status, body, parser.keeps) == (DONE, status, expected, keeps)
        parser.reset()
        assert (parser.stage, parser.status, parser.headers.items()) == (IDLE, 0, [])


@given(st.sampled_from(ANSWERS), st.data())
def test_cut_anywhere(case: tuple[str, bytes, int, bytes, bool], draw: st.DataObject) -> None:
    _, data, status, expected, keeps = case
    cuts = sorted(draw.draw(st.sets(st.integers(0, len(data)), max_size=8)) | {0, len(data)})
    pieces = [data[a:b] for a, b in pairwise(cuts)]
    parser, body = parse(*pieces)
    assert (parser.stage, parser.status, body, parser.keeps) == (DONE, status, expected, keeps)


@named(ANSWERS)
def test_truncated_it_is_never_done(case: tuple[str, bytes, int, bytes, bool]) -> None:
    data = case[1]
    for at in range(len(data)):
        assert parse(data[:at], closed=True)[0].stage in (HEAD, BODY)


@named(UNTIL_CLOSED)
def test_a_body_until_the_connection_closes(case: tuple[str, bytes, bytes]) -> None:
    _, data, expected = case
    for pieces in ([data], bytewise(data)):
        parser, body = parse(*pieces)
        assert (parser.stage, body) == (BODY, expected)
        parser.end(cleanly=True)
        assert (parser.stage, parser.keeps) == (DONE, False)
        failed, _ = parse(*pieces)
        failed.end(cleanly=False)
        assert failed.stage is BODY


@named(REFUSED)
def test_what_is_no_answer(case: tuple[str, bytes]) -> None:
    data = case[1]
    for pieces in ([data], bytewise(data)):
        with pytest.raises(AnswerError):
            parse(*pieces)


@pytest.mark.parametrize("case", PUBLISHED, ids=[case["case"] for case in PUBLISHED])
def test_the_published_cases_of_other_parsers(case: dict[str, Any]) -> None:
    """What the tests of h11 and llhttp give a client to read. `body` is null where it is no answer."""
    data = case["response"].encode("latin-1")
    for pieces in ([data], bytewise(data)):
        if case["body"] is None:
            with pytest.raises(AnswerError):
                parse(*pieces, closed=True)
        else:
            parser, body = parse(*pieces, closed=True)
            assert (parser.stage, body) == (DONE, case["body"].encode("latin-1"))


@pytest.mark.parametrize("more", [b"x", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno", b"HTTP/1."])
@named(ANSWERS)
def test_what_follows_an_answer_is_no_part_of_it(
    case: tuple[str, bytes, int, bytes, bool], more: bytes
) -> None:
    _, data, status, expected, _ = case
    parser, body = parse(data + more)
    assert (parser.stage, parser.status, body, parser.keeps) == (DONE, status, expected, False)


def test_one_parser_reads_one_answer_after_the_other() -> None:
    parser = AnswerParser()
    for case in [case for case in ANSWERS if case[4]]:
        parser.begin()
        parser.feed(case[1])
        assert (parser.stage, parser.take()) == (DONE, case[3])
        parser.reset()


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 15_000 + b"content-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\na: " + b"b" * 70_000 + b"\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 4000,
        CHUNKED + b"0\r\nx: " + b"y" * 70_000,
        CHUNKED + b"5;" + b"x" * 70_000,
    ],
    ids=["many headers", "large header", "interim answers", "trailer", "extension"],
)
def test_nothing_but_a_body_is_large(data: bytes) -> None:
    for size in (len(data), 1000, 7):
        with pytest.raises(AnswerError, match="larger than 65536"):
            parse(*[data[i : i + size] for i in range(0, len(data), size)])


def test_a_large_head_with_a_larger_body() -> None:
    head = b"HTTP/1.1 200 OK\r\na: " + b"b" * 60_000 + b"\r\ncontent-length: 100000\r\n\r\n"
    assert parse(head + b"x" * 100_000)[1] == b"x" * 100_000
    assert LIMIT == 65536


# --- codings ------------------------------------------------------------------------------------------
TEXT = b"data: hello\n\n" * 50_000


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


async def decoded(coding: str, data: bytes, size: int) -> tuple[bytes, int]:
    """What the decoder makes of `data` in pieces of `size`, and its largest piece."""
    pieces = [data[i : i + size] for i in range(0, len(data), size)]

    async def source() -> bytes:
        return pieces.pop(0) if pieces else b""

    decoder, out, largest = Decoder(coding), b"", 0
    while piece := await decoder.read(source):
        out += piece
        largest = max(largest, len(piece))
    assert await decoder.read(source) == b""
    return out, largest


@pytest.mark.parametrize(
    ("coding", "data", "expected"),
    [
        ("gzip", gzip.compress(TEXT, mtime=0), TEXT),
        (" X-GZip ", gzip.compress(TEXT, mtime=0), TEXT),
        (
            "gzip",
            gzip.compress(b"a", mtime=0) + gzip.compress(b"", mtime=0) + gzip.compress(b"b", mtime=0),
            b"ab",
        ),
        ("deflate", zlib.compress(TEXT), TEXT),
        ("deflate", raw_deflate(TEXT), TEXT),
        ("deflate", raw_deflate(b"x" * (256 << 10)), b"x" * (256 << 10)),
        ("deflate", raw_deflate(b"x" * ((256 << 10) + 21)), b"x" * ((256 << 10) + 21)),
        ("gzip", b"", b""),
        ("br", b"", b""),
    ],
)
@pytest.mark.parametrize("size", [1, 100, 1 << 20])
async def test_a_packed_body(coding: str, data: bytes, expected: bytes, size: int) -> None:
    assert (await decoded(coding, data, size))[0] == expected


async def test_a_small_body_is_no_large_one_at_once() -> None:
    out, largest = await decoded("gzip", gzip.compress(b"\0" * (32 << 20)), 1 << 20)
    assert len(out) == 32 << 20
    assert largest <= 256 << 10


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_packed_body_without_its_end(coding: str) -> None:
    data = gzip.compress(TEXT, mtime=0) if coding == "gzip" else raw_deflate(TEXT)
    with pytest.raises(CutError, match=f"{coding} body has no end"):
        await decoded(coding, data[:-1], 1000)


@pytest.mark.parametrize(
    ("coding", "words"),
    [("gzip", "the body is not gzip"), ("br", "encoded as 'br'"), ("gzip, gzip", "encoded")],
)
async def test_what_cannot_be_unpacked(coding: str, words: str) -> None:
    with pytest.raises(AnswerError, match=words):
        await decoded(coding, b"no such thing", 4)
