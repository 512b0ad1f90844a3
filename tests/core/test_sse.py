from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_code_proxy.core import sse
from claude_code_proxy.core.sse import Event

CASES = {
    "lf": (b"data: a\n\ndata: b\n\n", [Event("", b"a"), Event("", b"b")]),
    "crlf": (b"data: a\r\n\r\ndata: b\r\n\r\n", [Event("", b"a"), Event("", b"b")]),
    "cr": (b"data: a\r\rdata: b\r\r", [Event("", b"a"), Event("", b"b")]),
    "mixed": (b"data: a\r\n\ndata: b\n\r\n", [Event("", b"a"), Event("", b"b")]),
    "bom": (b"\xef\xbb\xbfdata: a\n\n", [Event("", b"a")]),
    "bom after blank lines": (b"\n\n\xef\xbb\xbfdata: a\n\n", [Event("", b"a")]),
    "no space": (b"data:a\n\n", [Event("", b"a")]),
    "two spaces": (b"data:  a\n\n", [Event("", b" a")]),
    "comment": (b": hello\n\ndata: a\n: there\n\n", [Event("", b"a")]),
    "empty comment": (b":\n\ndata: a\n\n", [Event("", b"a")]),
    "several data lines": (b"data: {\ndata: }\n\n", [Event("", b"{\n}")]),
    "named": (b"event: error\ndata: a\n\ndata: b\n\n", [Event("error", b"a"), Event("", b"b")]),
    "name without data is forgotten": (b"event: error\n\ndata: b\n\n", [Event("", b"b")]),
    "other fields": (b"id: 1\nretry: 5\nunknown: x\nnonsense\ndata: a\n\n", [Event("", b"a")]),
    "error field": (b'error: {"message":"x"}\n\n', [Event("error", b'{"message":"x"}')]),
    "no final newline": (b"data: a", [Event("", b"a")]),
    "one final newline": (b"data: a\n", [Event("", b"a")]),
    "bare json": (b'{"a":1}\n\n', [Event("", b'{"a":1}')]),
    "bare json without newline": (b'{"a":1}', [Event("", b'{"a":1}')]),
    "bom and bare json": (b'\xef\xbb\xbf{"a":1}', [Event("", b'{"a":1}')]),
    "bare json in the middle": (b'data: a\n\n{"a":1}\n\n', [Event("", b"a"), Event("", b'{"a":1}')]),
    "a bare list and an error page in the middle": (
        b"data: a\n\n[1]\n\n<html>\n\n",
        [Event("", b"a"), Event("", b"[1]"), Event("", b"<html>")],
    ),
    "a name that is no text": (b"event: \xff\ndata: a\n\n", [Event("\ufffd", b"a")]),
    "json document that begins with a member": (b'{"a":\n1}\n', [Event("", b'{"a":\n1}\n')]),
    "json document with cr": (b'{"a":\r1}\r', [Event("", b'{"a":\r1}\r')]),
    "json document": (b'{\n"a":\n1}\n', [Event("", b'{\n"a":\n1}\n')]),
    "json list document": (b"[\n1]\n", [Event("", b"[\n1]\n")]),
    "html": (b"<html>\n\n<p>x</p>\n", [Event("", b"<html>\n\n<p>x</p>\n")]),
    "html after white space": (b"\n\n<html>\n</html>", [Event("", b"<html>\n</html>")]),
    "nothing": (b"", []),
    "blank lines": (b"\n\n\r\n", []),
    "unicode line separator": ("data: a\u2028b\u0085c\n\n".encode(), [Event("", "a\u2028b\u0085c".encode())]),
    "cr, then a line without an end": (
        b"data: a\r\rdata: b\n\ndata: c\n",
        [Event("", b"a"), Event("", b"b"), Event("", b"c")],
    ),
    "done": (b"data: [DONE]\n\n", [Event("", b"[DONE]")]),
}


def read(reads: list[bytes]) -> list[Event]:
    decoder = sse.Decoder()
    found = [event for read in reads for event in decoder.feed(read)]
    return found + decoder.close()


@pytest.mark.parametrize("name", CASES)
def test_decoder(name: str) -> None:
    data, events = CASES[name]
    assert read([data]) == events
    assert read([data[at : at + 1] for at in range(len(data))]) == events
    for at in range(len(data)):
        assert read([data[:at], b"", data[at:]]) == events


def test_a_document_keeps_its_line_ends_wherever_it_is_cut() -> None:
    raw = b"[\n1]\n\n\n\r\n"
    assert read([raw[:-1], raw[-1:]]) == read([raw]) == [sse.Event("", raw)]


@given(st.data(), st.lists(st.sampled_from([data for data, _ in CASES.values()]), max_size=6))
def test_cuts_do_not_matter(data: st.DataObject, parts: list[bytes]) -> None:
    raw = b"".join(parts)
    at = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=10)))
    reads = [raw[start:end] for start, end in zip([0, *at], [*at, len(raw)], strict=True)]
    assert read(reads) == read([raw])


@given(st.binary(max_size=200))
def test_any_bytes_are_read(raw: bytes) -> None:
    read([raw])


@pytest.mark.parametrize(
    "pieces", [[b"data: ", *[b"x" * 10] * 11], [b"data: x\n"] * 101, [b"data:\n"] * 3, [b"{\n"] * 60]
)
def test_what_does_not_end_is_refused(pieces: list[bytes]) -> None:
    decoder = sse.Decoder(100)
    with pytest.raises(sse.EventTooLarge):  # noqa: PT012 - any of them may be the one
        for piece in pieces:
            decoder.feed(piece)


@pytest.mark.parametrize("blank", [b"\n", b"\r", b"\r\n", b"\xef\xbb\xbf \n"])
def test_blank_lines_before_the_first_event_take_no_memory(blank: bytes) -> None:
    blanks = blank * ((1 << 20) // len(blank))
    tracemalloc.start()
    try:
        assert read([blanks + b"data: x\n\n"]) == [Event("", b"x")]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


def test_an_event_may_be_as_large_as_the_limit_each_time() -> None:
    large = b"event: e\ndata: 12345678\n\n"
    decoder = sse.Decoder(max_event=8)
    assert decoder.feed(large + large) == [Event("e", b"12345678")] * 2
    with pytest.raises(sse.EventTooLarge, match="more than 8 bytes"):
        decoder.feed(b"event: e\ndata: 123456789\n\n")


def test_encode() -> None:
    raw = sse.encode({"type": "ping", "text": "é\u2028\n"})
    name, data, end = raw.split(b"\n", 2)
    assert (name, end) == (b"event: ping", b"\n")
    assert json.loads(data.removeprefix(b"data: ")) == {"type": "ping", "text": "é\u2028\n"}
    assert sse.encode({"type": "ping"}) == sse.PING


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_the_data_of_one_event(end: bytes) -> None:
    event = end.join([b"event: x", b"data: {", b"data:}", b": a comment"])
    assert sse.data_of(event) == b"{\n}"
    assert sse.END_OF_EVENT.split(event + end + end + event) == [event, event]
