"""Tools that are read once for all requests that declare them, beside tools that are read anew each time."""

from __future__ import annotations

import copy
import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_code_proxy.core import wire
from claude_code_proxy.core.convert_request import convert_request
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.request.body_json import read
from claude_code_proxy.core.request.tool_cache import ToolCache
from claude_code_proxy.core.tokens.estimate import TextCounts, estimate
from tests.core import cases


def tools(*names: str) -> bytes:
    return json.dumps([{"name": name, "input_schema": {"type": "object"}} for name in names]).encode()


def test_the_same_tools_are_the_same_object() -> None:
    cache = ToolCache("stand-in")
    first = cache.read(tools("A"))
    assert cache.read(tools("A")) is first
    assert cache.read(tools("B")) is not first
    assert cache.read(b"null") is None
    assert (cache.knows(first), cache.knows([]), cache.knows(None)) == (True, False, False)


def test_tools_that_are_nested_too_deeply() -> None:
    cache = ToolCache("stand-in", max_depth=3)
    assert cache.read(b"[[[1]]]") == [[[1]]]
    with pytest.raises(wire.WireError, match="too deeply") as caught:
        cache.read(b"[[[[1]]]]")
    assert (caught.value.position, caught.value.line, caught.value.column) == (0, 1, 1)


def test_too_many_tools_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ToolCache, "MAX_BYTES", 2 * len(tools("A")))
    cache = ToolCache("stand-in")
    first = cache.read(tools("A"))
    cache.read(tools("B"))
    assert cache.read(tools("A")) is first
    cache.read(tools("C"))
    assert cache.read(tools("A")) is not first
    large = tools(*"ABCDE")
    assert cache.read(large) is not cache.read(large)


# --- shared tools give what tools of one's own would -----------------------------------------------------


def converted(request: Any, profile: Profile, cache: ToolCache | None = None) -> Any:
    """All that comes out of a request: the plain way without a cache, the fast one with it."""
    try:
        result = convert_request(request, profile=profile, model="m", message_id="msg_1", tool_cache=cache)
    except ApiError as error:
        return error.status, error.message
    assert result.payload == wire.dumps(result.body)
    counts = TextCounts()
    counted = estimate(result.body, counts, result.tools)
    assert counted == estimate(result.body, counts, result.tools) == estimate(result.body)
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
    cache = ToolCache("stand-in")
    raw = json.dumps(request_).encode()
    other = Profile(schema_dialect="gemini", drop_tools=("B*",))
    for _ in range(3):
        assert converted(read(raw, cache), profile, cache) == expected
        assert converted(read(raw, cache), other, cache) == converted(copy.deepcopy(request_), other)


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
    cache = ToolCache("stand-in")
    profile = Profile()
    for content in changes:
        messages = [{"role": "user", "content": "Hi"}, {"role": "system", "content": content}]
        request = {"model": "m", "max_tokens": 9, "messages": messages, "tools": declared}
        raw = json.dumps(request).encode()
        assert converted(read(raw, cache), profile, cache) == converted(json.loads(raw), profile)


def test_what_is_made_of_one_array_is_made_once_and_bounded() -> None:
    cache = ToolCache("stand-in")
    known = cache.read(tools("A"))
    profile, made = Profile(), itertools.count()
    assert [cache.once(known, profile, "key", lambda: next(made)) for _ in range(3)] == [0, 0, 0]
    assert cache.once(known, Profile(), "key", lambda: next(made)) == 1
    assert cache.once([], profile, "key", lambda: next(made)) == 2
    assert [cache.once(known, profile, number, lambda: next(made)) for number in range(40)][-1] == 42
    assert cache.once(known, profile, "key", lambda: next(made)) == 43
    assert len(cache._by_id[id(known)].made) <= 16


def test_threads_share_a_cache() -> None:
    cache = ToolCache("stand-in")
    raw = [
        b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}],"tools":%b}' % tools(*names)
        for names in ("A", "AB", "BC")
    ]
    expected = [converted(json.loads(body), Profile()) for body in raw]

    def serve(number: int) -> bool:
        body = raw[number % 3]
        return bool(converted(read(body, cache), Profile(), cache) == expected[number % 3])

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(serve, range(600)))
