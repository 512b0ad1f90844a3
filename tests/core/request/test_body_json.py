"""A request's JSON read part by part, and tools that are read once for all requests that declare them."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_code_proxy.core import wire
from claude_code_proxy.core.request.body_json import LARGE, read
from claude_code_proxy.core.request.tool_cache import ToolCache

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(
    st.sampled_from(("tools", "messages", "model", "x")) | st.text(), VALUES, max_size=5
)


@given(OBJECTS, st.booleans(), st.booleans())
def test_reads_what_the_whole_says(value: dict[str, Any], ascii_only: bool, spaced: bool) -> None:
    raw = json.dumps(
        value, ensure_ascii=ascii_only, separators=(", ", ": ") if spaced else (",", ":")
    ).encode("utf-8", "surrogatepass")
    assert outcome(raw) == plain(raw)


ODD = [
    b"", b"null", b"[]", b'"tools"', b"{", b'{"tools"', b'{"tools":[}', b'{"tools":[1,]}', b'{"tools":[]}}', b'{"tools":tru}',
    b'{"tools":[],"model":tru}', b'{"tools":[],"x":"\x01"}', b'{"tools":["\\ud83d"]}', b'{"tools":["\xff"]}', b'\xef\xbb\xbf{"tools":[]}',
    b'{"tools":[1],"tools":[2]}', b'{"tools":[],"n":NaN}', b'{"tools":[],"n":1e999}', b'{"tools":[],"n":01}', b'{"\xff":1,"tools":[]}',
    b'{"tools":' + b"[" * 2000 + b"]" * 2000 + b"}", b'{"tools":{"a":1}}', b' { "tools" : [ ] } ', b'{"t\\u006fols":[1]}', b"{'tools':[]}",
]  # fmt: skip


@pytest.mark.parametrize("raw", ODD, ids=range(len(ODD)))
def test_odd_bodies(raw: bytes) -> None:
    assert outcome(raw) == plain(raw)


def test_tools_are_read_once() -> None:
    cache = ToolCache("stand-in")
    for body in (b'{"tools":[1],"x":1}', b'{"x":2, "tools" : [1]}'):
        assert cache.knows(read(body, cache)["tools"])


KNOWN = b'[{"name":"A"}]'
REPEATED = [
    b'{"tools":%b,"x":1}', b'{"x":1,"tools":%b}', b'{"x":{"tools":%b}}', b'{"x":{"tools":%b},"tools":[]}', b'{"tools":[],"x":{"tools":%b}}',
    b'{"tools":[1],"tools":%b}', b'{"tools":%b,"tools":[1]}', b'{"tools":%b', b'{"tools":%b1}', b'{"tools":%b]}', b'[{"tools":%b}]',
    b'{"x":"\\"tools\\":%b"}', b'{"tools":"stand","x":{"tools":%b}}', b'{"tools": %b}', b'"tools":%b',
]  # fmt: skip


@pytest.mark.parametrize("body", REPEATED, ids=range(len(REPEATED)))
def test_known_tools_count_where_they_are_the_tools(body: bytes) -> None:
    cache = ToolCache("stand-in")
    cache.read(KNOWN)
    raw = body % KNOWN
    expected = plain(raw)
    try:
        found: Any = repr(read(raw, cache))
    except wire.WireError as error:
        found = str(error), error.position, error.line, error.column
    assert found == expected
    assert cache.fields(raw) == wire.fields(raw)


@given(st.lists(OBJECTS, max_size=4), st.booleans())
def test_fields_are_those_of_the_whole(values: list[dict[str, Any]], spaced: bool) -> None:
    cache = ToolCache("stand-in")
    for value in values * 2:
        raw = json.dumps(value, separators=(", ", ": ") if spaced else (",", ":")).encode()
        with contextlib.suppress(wire.WireError):
            read(raw, cache)
        assert cache.fields(raw) == wire.fields(raw)


def test_known_tools_are_one_object() -> None:
    cache = ToolCache("stand-in")
    cache.read(KNOWN)
    bodies = [b'{"model":"%d","tools":%b,"x":[]}' % (number, KNOWN) for number in range(2)]
    first, second = [fields for fields in map(cache.fields, bodies) if fields is not None]
    assert first["tools"] is second["tools"]
    assert bytes(first["model"]) == b'"0"'


def test_tools_that_another_thread_forgets_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = ToolCache("stand-in")
    tools = cache.read(KNOWN)
    loads = wire.loads

    def forgetful(data: bytes) -> Any:
        cache._by_bytes = {}
        return loads(data)

    monkeypatch.setattr(wire, "loads", forgetful)
    assert read(b'{"tools":%b}' % KNOWN, cache)["tools"] is tools


def outcome(raw: bytes) -> Any:
    cache = ToolCache("stand-in")
    try:
        first = read(raw, cache)
    except wire.WireError as error:
        return str(error), error.position, error.line, error.column
    assert repr(read(raw, cache)) == repr(first)
    return repr(first)


def plain(raw: bytes) -> Any:
    try:
        return repr(wire.loads(raw))
    except wire.WireError as error:
        return str(error), error.position, error.line, error.column


@pytest.mark.parametrize("fault", ["", "x", "}"])
def test_messages_of_a_large_body_are_read_one_by_one(fault: str) -> None:
    messages = [{"role": "user", "content": "x" * 1000} for _ in range(LARGE // 900)]
    raw = json.dumps({"model": "m", "messages": messages})[:-1].encode() + fault.encode() + b"}"
    assert outcome(raw) == plain(raw)
    assert outcome(raw.replace(b"[{", b'{"a":[{').replace(b"}]", b"}]}")) == plain(
        raw.replace(b"[{", b'{"a":[{').replace(b"}]", b"}]}")
    )
