"""Fingerprints of prompts: which two parts are the same to them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from claude_code_proxy.core import wire
from claude_code_proxy.core.prompt_cache.cache_diagnosis import without_marks
from claude_code_proxy.core.prompt_cache.prompt_marks import Fingerprints, PromptMarks, ToolLists

MARK = {"cache_control": {"type": "ephemeral"}}
BILLING = {"type": "text", "text": 'x-anthropic-billing-header: cch="1"; {'}
SYSTEM = [{"type": "text", "text": "Be kind"}]

TEXTS = st.sampled_from(("", "a", '"', "\\", '\\"', "]}", '"}]}', '"},{"type":"text","text":"', "\n"))
TEXT_BLOCKS = st.builds(
    lambda text, more: {"type": "text", "text": text, **more}, TEXTS, st.sampled_from(({}, MARK))
)
BLOCKS = TEXT_BLOCKS | st.sampled_from(
    (
        {"type": "tool_result", "content": []},
        {"type": "tool_result", "content": [{}]},
        {"type": "x", "n": {"a": [1]}},
    )
)
MESSAGES = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(("user", "assistant")),
    TEXTS | st.lists(BLOCKS, max_size=3),
)  # fmt: skip


def marks(body: Any, separators: tuple[str, str] = (",", ":"), by: Fingerprints | None = None) -> PromptMarks:
    found = (by or Fingerprints()).of(wire.fields(json.dumps(body, separators=separators).encode()) or {})
    assert found is not None
    return found


def said(message: dict[str, Any]) -> Any:
    content = message["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return message["role"], without_marks(blocks)


@given(MESSAGES, MESSAGES, st.sampled_from(((",", ":"), (", ", ": "))))
@example(
    {"role": "user", "content": "a"},
    {"role": "user", "content": [{"type": "text", "text": "a", **MARK}]},
    (",", ":"),
)
@example(
    {"role": "user", "content": [{"type": "text", "text": text, **MARK} for text in "ab"]},
    {"role": "user", "content": [{"type": "text", "text": text} for text in "ab"]},
    (",", ":"),
)
def test_messages_are_the_same_where_what_they_say_is(
    one: dict[str, Any], other: dict[str, Any], separators: tuple[str, str]
) -> None:
    both = marks({"messages": [one, other]}, separators).messages
    assert (both[0] == both[1]) is (said(one) == said(other))


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("mark", [{}, MARK, {"cache_control": None}])
def test_the_number_of_a_request_is_no_part_of_a_prompt(
    mark: dict[str, Any], separators: tuple[str, str]
) -> None:
    def system(*blocks: Any) -> int:
        return marks({"messages": [], "system": blocks}, separators).system

    numbered = {**BILLING, **mark}
    assert system(numbered, *SYSTEM) == system({**numbered, "text": BILLING["text"] + "2"}, *SYSTEM)
    assert system(numbered, *SYSTEM) != system(numbered, *SYSTEM, *SYSTEM)
    assert system(numbered) == system()
    assert system(*SYSTEM, numbered) != system(*SYSTEM), "it is the first"


@given(st.lists(st.lists(MESSAGES, min_size=1, max_size=4), max_size=4))
def test_what_was_seen_before_changes_no_fingerprint(requests: list[list[dict[str, Any]]]) -> None:
    one = Fingerprints()
    for messages in requests * 2:
        body = {"model": "m", "system": SYSTEM, "tools": [{"name": "A", **MARK}], "messages": messages}
        assert marks(body, by=one) == marks(body)


def test_too_many_parts_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fingerprints, "MAX_PARTS", 8)
    one = Fingerprints()
    for number in range(40):
        body = {"messages": [{"role": "user", "content": str(number)}, {"role": "user", "content": [MARK]}]}
        assert marks(body, by=one) == marks(body)
        assert len(one._known) <= 8


def test_each_change_of_the_tools_is_one_to_those_before() -> None:
    lists = ToolLists()
    raw = [wire.fields(b'{"tools":[%b]}' % tools) or {} for tools in (b'{"name":"A"}', b'{"name":"B"}', b"")]
    lists.add(0, raw[0]["tools"])
    assert lists.change(0, 1, raw[1]["tools"]) == "+B, -1 removed"
    assert lists.change(1, 2, raw[2]["tools"]) == "-1 removed"
