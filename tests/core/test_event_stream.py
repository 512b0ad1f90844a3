"""AWS's binary stream: frames cut anywhere, damaged frames, and what becomes of each."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from claude_code_proxy.core.event_stream import BadFrame, Frame, FrameDecoder, to_sse
from tests.frames import EVENT, chunk, exception, frame

VECTOR = bytes.fromhex("000000870000004b87ea2bf3")
"""How the frame of a `message_stop` begins; its checksum is the one below (made with botocore)."""
VECTOR_END = bytes.fromhex("ba48ab22")


def decode(data: bytes, size: int = 0) -> list[Frame]:
    decoder = FrameDecoder()
    size = size or max(1, len(data))
    frames = [one for at in range(0, len(data), size) for one in decoder.feed(data[at : at + size])]
    assert decoder.at_frame_end
    return frames


def test_a_known_frame() -> None:
    headers = (
        b"\x0b:event-type\x07\x00\x05chunk"
        b"\x0d:content-type\x07\x00\x10application/json"
        b"\x0d:message-type\x07\x00\x05event"
    )
    payload = b'{"bytes":"eyJ0eXBlIjoibWVzc2FnZV9zdG9wIn0="}'
    data = VECTOR + headers + payload + VECTOR_END
    assert len(data) == 135
    (found,) = decode(data, 1)
    assert found.headers == {
        ":event-type": "chunk",
        ":content-type": "application/json",
        ":message-type": "event",
    }
    assert to_sse(found) == b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


@given(
    st.lists(st.tuples(st.dictionaries(st.text(max_size=20), st.text(max_size=40)), st.binary()), max_size=5),
    st.integers(1, 60),
)
def test_frames_are_the_same_however_they_are_cut(
    written: list[tuple[dict[str, str], bytes]], size: int
) -> None:
    data = b"".join(frame(headers, payload) for headers, payload in written)
    assert decode(data, size) == [Frame(headers, payload) for headers, payload in written]


@given(st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=40)), st.binary())
def test_botocore_reads_a_frame_alike(headers: dict[str, str], payload: bytes) -> None:
    data = frame(headers, payload)
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    theirs: Any = next(buffer)
    (ours,) = decode(data)
    assert (ours.headers, ours.payload) == (theirs.headers, theirs.payload)


@given(st.integers(0, 134), st.integers(1, 255))
def test_no_changed_byte_goes_unnoticed(place: int, change: int) -> None:
    data = bytearray(chunk(b'{"type":"message_stop"}'))
    assert len(data) == 135
    data[place] ^= change
    with pytest.raises(BadFrame):
        list(FrameDecoder().feed(bytes(data)))


OTHER_TYPES = b"".join(
    b"\x01%c%c%b" % (name, kind, value)
    for name, kind, value in [
        (b"a", 0, b""),
        (b"b", 1, b""),
        (b"c", 2, b"\x01"),
        (b"d", 3, b"\x01" * 2),
        (b"e", 4, b"\x01" * 4),
        (b"f", 5, b"\x01" * 8),
        (b"g", 6, b"\x00\x03\x01\x02\x03"),
        (b"h", 8, b"\x01" * 8),
        (b"i", 9, b"\x01" * 16),
        (b"j", 7, b"\x00\x02ok"),
    ]
)


def raw(headers: bytes, payload: bytes = b"", *, lengths: bytes = b"") -> bytes:
    lengths = lengths or struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    data = lengths + struct.pack(">I", zlib.crc32(lengths)) + headers + payload
    return data + struct.pack(">I", zlib.crc32(data))


def test_headers_of_other_types_are_read_over() -> None:
    assert decode(raw(OTHER_TYPES, b"x")) == [Frame({"j": "ok"}, b"x")]


def test_headers_may_be_as_long_as_the_limit() -> None:
    sizes = (1 << 16) - 1, (1 << 16) - 9
    headers = b"".join(b"\x01a\x06" + size.to_bytes(2) + bytes(size) for size in sizes)
    assert len(headers) == 128 << 10
    assert decode(raw(headers)) == [Frame({}, b"")]


@pytest.mark.parametrize(
    "data",
    [
        raw(b"", lengths=struct.pack(">II", 15, 0)),
        raw(b"", lengths=struct.pack(">II", 20, 5)),
        raw(b"", lengths=struct.pack(">II", (24 << 20) + 17, 0)),
        raw(b"", lengths=struct.pack(">II", 1 << 20, (128 << 10) + 1)),
        raw(b"\x05ab"),
        raw(b"\x01a"),
        raw(b"\x01a\x07\x00"),
        raw(b"\x01a\x07\x00\x05abc"),
        raw(b"\x01a\x04\x01"),
        raw(b"\x01a\x0a\x01"),
        raw(b"\x01a\x07\x00\x01\xff"),
    ],
)
def test_what_is_no_frame(data: bytes) -> None:
    with pytest.raises(BadFrame):
        list(FrameDecoder().feed(data))


def test_an_unfinished_frame_is_held() -> None:
    decoder = FrameDecoder()
    assert list(decoder.feed(chunk(b'{"type":"ping"}')[:-1])) == []
    assert not decoder.at_frame_end


def event(data: bytes) -> dict[str, Any]:
    name, _, rest = data.partition(b"\n")
    found: dict[str, Any] = json.loads(rest.removeprefix(b"data: "))
    assert name == b"event: " + found["type"].encode()
    assert data.endswith(b"\n\n")
    assert data.count(b"\n") == 3
    assert b"\r" not in data
    return found


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r"])
def test_an_event_over_several_lines_becomes_one_line(end: bytes) -> None:
    (found,) = decode(chunk(b'{%b"type": "ping",%b"x": [1]}' % (end, end)))
    assert event(to_sse(found)) == {"type": "ping", "x": [1]}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("throttlingException", "overloaded_error"),
        ("ModelNotReadyException", "overloaded_error"),
        ("serviceUnavailableException", "overloaded_error"),
        ("validationException", "invalid_request_error"),
        ("accessDeniedException", "permission_error"),
        ("resourceNotFoundException", "not_found_error"),
        ("modelTimeoutException", "timeout_error"),
        ("modelStreamErrorException", "api_error"),
        ("somethingNew", "api_error"),
    ],
)
def test_an_exception_is_told_as_an_error_event(name: str, kind: str) -> None:
    (found,) = decode(exception(name, "slow down"))
    assert event(to_sse(found)) == {"type": "error", "error": {"type": kind, "message": f"{name}: slow down"}}


@pytest.mark.parametrize(
    ("headers", "payload", "message"),
    [
        (
            {":error-code": "throttlingException", ":error-message": "said here"},
            b"",
            "throttlingException: said here",
        ),
        ({":error-code": "x"}, b'{"Message":"or here"}', "x: or here"),
        ({":error-code": "x"}, b'"a text"', "x: a text"),
        ({":error-code": "x"}, b"not json", "x: not json"),
        ({":error-code": "x"}, b"{}", "x"),
        ({}, b"", "an exception"),
    ],
)
def test_an_error_in_other_forms(headers: dict[str, str], payload: bytes, message: str) -> None:
    found = Frame({":message-type": "error", **headers}, payload)
    assert event(to_sse(found))["error"]["message"] == message


def test_an_event_of_another_type_is_left_out() -> None:
    assert to_sse(Frame({":message-type": "event", ":event-type": "initial-response"}, b"{}")) == b""


@pytest.mark.parametrize(
    "found",
    [
        Frame({}, b""),
        Frame(EVENT, b"no json"),
        Frame(EVENT, b"[]"),
        Frame(EVENT, b"{}"),
        Frame(EVENT, b'{"bytes":"no base64"}'),
        Frame(EVENT, b'{"bytes":5}'),
        *(
            Frame(EVENT, b'{"bytes":"%b"}' % base64.b64encode(inner))
            for inner in (b"no json", b"[]", b"{}", b'{"type":5}', b'{"type":"a\\nb"}')
        ),
    ],
)
def test_what_holds_no_event(found: Frame) -> None:
    with pytest.raises(BadFrame):
        to_sse(found)
