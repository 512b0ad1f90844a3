"""A request's JSON read part by part, and tools that are read once for all requests that declare them."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_code_proxy.core import tokens, wire
from claude_code_proxy.core.convert_request import convert_request
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.request.body_json import LARGE, ToolMemory, read
from claude_code_proxy.core.request.tool_cache import Declared, ToolList
from tests.core import cases

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


KNOWN = b'[{"name":"A"}]'
REPEATED = [
    b'{"tools":%b,"x":1}', b'{"x":1,"tools":%b}', b'{"x":{"tools":%b}}', b'{"x":{"tools":%b},"tools":[]}', b'{"tools":[],"x":{"tools":%b}}',
    b'{"tools":[1],"tools":%b}', b'{"tools":%b,"tools":[1]}', b'{"tools":%b', b'{"tools":%b1}', b'{"tools":%b]}', b'[{"tools":%b}]',
    b'{"x":"\\"tools\\":%b"}', b'{"tools":"stand","x":{"tools":%b}}', b'{"tools": %b}', b'"tools":%b',
]  # fmt: skip


@pytest.mark.parametrize("body", REPEATED, ids=range(len(REPEATED)))
def test_known_tools_count_where_they_are_the_tools(body: bytes) -> None:
    memory = ToolMemory("stand-in")
    memory.read(KNOWN)
    raw = body % KNOWN
    expected = plain(raw)
    try:
        found: Any = repr(read(raw, memory))
    except wire.WireError as error:
        found = str(error), error.position, error.line, error.column
    assert found == expected


def test_tools_that_another_thread_forgets_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = ToolMemory("stand-in")
    tools = memory.read(KNOWN)
    loads = wire.loads

    def forgetful(data: bytes) -> Any:
        memory._known = {}
        return loads(data)

    monkeypatch.setattr(wire, "loads", forgetful)
    assert read(b'{"tools":%b}' % KNOWN, memory)["tools"] is tools


def outcome(raw: bytes) -> Any:
    memory = ToolMemory("stand-in")
    try:
        first = read(raw, memory)
    except wire.WireError as error:
        return str(error), error.position, error.line, error.column
    assert repr(read(raw, memory)) == repr(first)
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


def tools(*names: str) -> bytes:
    return json.dumps([{"name": name, "input_schema": {"type": "object"}} for name in names]).encode()


def test_the_same_tools_are_the_same_object() -> None:
    memory = ToolMemory("stand-in")
    first = memory.read(tools("A"))
    assert memory.read(tools("A")) is first
    assert memory.read(tools("B")) is not first
    assert memory.read(b"null") is None


def test_too_many_tools_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ToolMemory, "MAX_BYTES", 2 * len(tools("A")))
    memory = ToolMemory("stand-in")
    first = memory.read(tools("A"))
    memory.read(tools("B"))
    assert memory.read(tools("A")) is first
    memory.read(tools("C"))
    assert memory.read(tools("A")) is not first
    large = tools(*"ABCDE")
    assert memory.read(large) is not memory.read(large)


# --- shared tools give what tools of one's own would -----------------------------------------------------


def converted(request: Any, profile: Profile) -> Any:
    try:
        result = convert_request(request, profile=profile, model="m", message_id="msg_1")
    except ApiError as error:
        return error.status, error.message
    assert result.payload == wire.dumps(result.body)
    counted = tokens.estimate(result.body, None, result.tools)
    assert counted == tokens.estimate(result.body)
    return result.body, result.reply, result.report.notices, counted


def requests() -> list[tuple[str, Any, Profile]]:
    found = []
    for path in cases.case_files("request"):
        case = cases.load(path)
        found.append((path.stem, case["anthropic_request"], cases.profile_of(case)))
    return found


@pytest.mark.parametrize(("name", "request_", "profile"), requests(), ids=[name for name, *_ in requests()])
def test_shared_tools_convert_alike(name: str, request_: dict[str, Any], profile: Profile) -> None:
    expected = converted(copy.deepcopy(request_), profile)
    memory = ToolMemory("stand-in")
    raw = json.dumps(request_).encode()
    other = Profile(schema_dialect="gemini", drop_tools=("B*",))
    for _ in range(3):
        assert converted(read(raw, memory), profile) == expected
        assert converted(read(raw, memory), other) == converted(copy.deepcopy(request_), other)


CHANGES = [
    {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": {"name": "New", "input_schema": {}}}},
    {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": {"name": "A", "description": "2"}}},
    {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": {"name": "Late", "description": "2"}}},
    {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": {}}},
    {"type": "tool_addition", "tool": {"type": "tool_reference", "name": "Late"}},
    {"type": "tool_removal", "tool": {"type": "tool_reference", "name": "A"}},
]  # fmt: skip


@given(st.lists(st.lists(st.sampled_from(CHANGES), max_size=3), max_size=6))
def test_changes_of_one_request_do_not_reach_another(changes: list[list[dict[str, Any]]]) -> None:
    declared = [
        {"name": "A", "input_schema": {"type": "object"}},
        {"name": "ToolSearch", "input_schema": {"type": "object"}},
        {"name": "Late", "input_schema": {"type": "object"}, "defer_loading": True},
        {"type": "web_search_20250305", "name": "web_search"},
    ]
    memory = ToolMemory("stand-in")
    profile = Profile()
    for content in changes:
        messages = [{"role": "user", "content": "Hi"}, {"role": "system", "content": content}]
        request = {"model": "m", "max_tokens": 9, "messages": messages, "tools": declared}
        raw = json.dumps(request).encode()
        assert converted(read(raw, memory), profile) == converted(json.loads(raw), profile)


def test_what_is_kept_for_one_array_is_bounded() -> None:
    shared = ToolList(json.loads(tools(*map(str, range(70)))))
    profiles = [Profile(name=f"p{number}") for number in range(9)]
    read_for = [shared.declared(profile) for profile in profiles]
    assert shared.declared(profiles[-1]) is read_for[-1]
    assert shared.declared(profiles[0]) is not read_for[0]
    declared = Declared(shared, Profile())
    report = declared.report
    first = declared.offer(frozenset({"0"}), report)
    assert declared.offer(frozenset({"0"}), report) is first
    for number in range(6):
        declared.offer(frozenset({str(number)}), report)
    assert [tool.name for tool in declared.offer(frozenset({"0"}), report)] == [tool.name for tool in first]
    assert len(declared._offers) <= 4
