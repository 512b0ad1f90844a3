"""Header fields."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_code_proxy.http1 import Headers, RequestError

KEY = "sk-planted"


def test_order_repeats_and_case() -> None:
    headers = Headers({"B": "1", "a": "2"})
    headers.add("b", "3")
    headers.setdefault("A", "no")
    headers.setdefault("C", "4")
    assert headers.items() == [("B", "1"), ("a", "2"), ("b", "3"), ("C", "4")]
    assert (headers["b"], headers.get("A"), headers.get("x"), headers.get("x", "y")) == ("1", "2", None, "y")
    assert headers.all("B") == ["1", "3"]
    assert "c" in headers
    assert "x" not in headers
    assert headers.encode() == b"B: 1\r\na: 2\r\nb: 3\r\nC: 4\r\n"
    headers["B"] = "5"
    headers.discard("C")
    headers.discard("x")
    assert headers.items() == [("a", "2"), ("B", "5")]
    assert Headers().encode() == b""


def test_what_is_received_loses_only_the_white_space_around_it() -> None:
    headers = Headers.received([(b"A", b"x \t"), (b"a", b"\xe9"), (b"B", b"")])
    assert headers.items() == [("A", "x"), ("a", "\xe9"), ("B", "")]
    assert headers["a"] == "x"


def test_printing_shows_no_value() -> None:
    assert repr(Headers({"Authorization": KEY, "x": KEY})) == "<Headers: Authorization, x>"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("a", f"{KEY}\r\nb: c", "value of the header a contains a line break"),
        ("a", f"{KEY}\nb: c", "line break"),
        ("a", f"{KEY}\r", "line break"),
        ("a", f"{KEY}\0", "NUL"),
        ("a", f"{KEY}☕", "no single byte"),
        ("", KEY, "'' is not a header name"),
        ("a b", KEY, "'a b' is not a header name"),
        ("a:", KEY, "not a header name"),
        ("a: b", KEY, "not a header name"),
        ("a\nb", KEY, "not a header name"),
        ("a\r\nb", KEY, "not a header name"),
        ("\xe9", KEY, r"'\\xe9' is not a header name"),
        ("Host", KEY, "Host is set by the client"),
        ("content-LENGTH", KEY, "set by the client"),
        ("transfer-encoding", KEY, "set by the client"),
        ("proxy-authorization", KEY, "set by the client"),
    ],
)
def test_what_cannot_be_sent(name: str, value: str, words: str) -> None:
    headers = Headers({"fine": "\xe9", name: value, "also-fine": ""})
    with pytest.raises(RequestError, match=words) as raised:
        headers.encode()
    assert KEY not in str(raised.value)
    assert raised.value.__cause__ is None


@given(st.lists(st.tuples(st.text(max_size=4), st.text(max_size=6)), max_size=4))
def test_whatever_goes_out_is_one_line_each(fields: list[tuple[str, str]]) -> None:
    headers = Headers()
    for name, value in fields:
        headers.add(name, value)
    try:
        sent = headers.encode()
    except RequestError:
        return
    lines = sent.split(b"\r\n")
    assert lines.pop() == b""
    assert [tuple(line.split(b": ", 1)) for line in lines] == [
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in fields
    ]
    assert not set(b"\r\n\0") & set(b"".join(lines))
