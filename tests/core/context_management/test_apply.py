"""What a converted request says of its edits."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from claude_code_proxy.core.convert_request import ConvertedRequest, convert_request
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.tokens.estimate import estimate

THINKING = {"type": "clear_thinking_20251015", "keep": {"type": "thinking_turns", "value": 1}}
KEEP_ALL = {"type": "clear_thinking_20251015", "keep": "all"}
TOOL_USES = {"type": "clear_tool_uses_20250919", "trigger": {"type": "tool_uses", "value": 2}}
COMPACT = {"type": "compact_20260112"}
REPLAYS = Profile(reasoning_replay="reasoning_content")


def convert(*edits: dict[str, Any], steps: int = 6, profile: Profile = REPLAYS) -> ConvertedRequest:
    messages: list[dict[str, Any]] = []
    for number in range(steps):
        messages += [
            {"role": "user", "content": "go on"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "I should look. " * 20, "signature": "s"},
                    {"type": "tool_use", "id": f"t{number}", "name": "read", "input": {"n": number}},
                ],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": f"t{number}", "content": "line\n" * 200}],
            },
            {"role": "assistant", "content": "done"},
        ]
    messages.append({"role": "user", "content": "end"})
    request = {
        "model": "m",
        "max_tokens": 100,
        "messages": messages,
        "context_management": {"edits": list(edits)},
    }
    before = copy.deepcopy(request)
    converted = convert_request(request, profile=profile, model="m", message_id="msg_1")
    assert request == before
    return converted


def applied(converted: ConvertedRequest) -> list[dict[str, Any]]:
    assert converted.reply.applied_edits is not None
    return [dict(edit) for edit in converted.reply.applied_edits]


def test_both_edits_say_what_they_cleared() -> None:
    whole, converted = convert(), convert(THINKING, TOOL_USES)
    thinking, tools = applied(converted)
    assert (thinking["type"], thinking["cleared_thinking_turns"]) == ("clear_thinking_20251015", 5)
    assert (tools["type"], tools["cleared_tool_uses"]) == ("clear_tool_uses_20250919", 3)
    saved = thinking["cleared_input_tokens"] + tools["cleared_input_tokens"]
    assert min(thinking["cleared_input_tokens"], tools["cleared_input_tokens"]) > 100
    assert estimate(whole.body) - estimate(converted.body) == saved
    assert [notice.code for notice in converted.report.notices] == ["context_edited", "context_edited"]
    assert converted.report.codes == ["context_edited"]


def test_thinking_that_no_provider_gets_costs_nothing() -> None:
    assert applied(convert(THINKING, profile=Profile())) == [
        {"type": "clear_thinking_20251015", "cleared_thinking_turns": 5, "cleared_input_tokens": 0}
    ]


def test_the_prompt_is_counted_only_where_an_edit_asks() -> None:
    assert convert(KEEP_ALL).counts is None
    assert convert(TOOL_USES).counts is not None
    by_tokens = {"type": "clear_tool_uses_20250919"}
    assert convert(by_tokens).counts is not None
    assert applied(convert(by_tokens)) == []


@pytest.mark.parametrize("edits", [[], [KEEP_ALL], [TOOL_USES], [COMPACT]])
def test_edits_that_clear_nothing_are_an_empty_list(edits: list[dict[str, Any]]) -> None:
    assert applied(convert(*edits, steps=1)) == []


def test_no_context_management_no_word_of_it() -> None:
    request = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    assert convert_request(request, profile=Profile(), model="m", message_id="x").reply.applied_edits is None


def test_switched_off_each_edit_is_told_quietly() -> None:
    off = Profile(reasoning_replay="reasoning_content", context_editing=False)
    converted = convert(THINKING, TOOL_USES, profile=off)
    assert converted.body == convert().body
    assert applied(converted) == []
    told = [(notice.code, notice.path, notice.quiet) for notice in converted.report.notices]
    assert told == [(("context_edit"), f"context_management.edits.{n}", True) for n in range(2)]
    assert convert(KEEP_ALL, profile=off).report.notices == []
    assert convert(COMPACT, profile=off).report.codes == ["context_edit"]


def test_a_growing_conversation_keeps_what_it_cleared() -> None:
    """The provider's prompt cache: a longer conversation begins with the shorter one up to what was kept of it."""
    shorter, longer = (convert(TOOL_USES, steps=steps).body["messages"] for steps in (6, 7))
    kept = [index for index, message in enumerate(shorter) if message["content"] == "line\n" * 200]
    assert longer[: kept[0]] == shorter[: kept[0]]


def test_what_a_tool_refused_is_still_known_when_its_words_are_cleared() -> None:
    tool = {"name": "read", "input_schema": {"type": "object", "properties": {"pages": {"type": "string"}}}}
    use = {"type": "tool_use", "id": "t1", "name": "read", "input": {"pages": ""}}
    refusal = {"type": "tool_result", "tool_use_id": "t1", "is_error": True, "content": "pages: invalid"}
    edit = {
        **TOOL_USES,
        "trigger": {"type": "tool_uses", "value": 1},
        "keep": {"type": "tool_uses", "value": 0},
    }
    request = {
        "model": "m",
        "max_tokens": 9,
        "tools": [tool],
        "messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": [use]},
            {"role": "user", "content": [refusal]},
            {"role": "assistant", "content": [{**use, "id": "t2", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t2", "content": "text"}]},
        ],
    }
    profile = Profile(omit_refused_arguments=True)
    whole = convert_request(request, profile=profile, model="m", message_id="msg_1")
    managed = {**request, "context_management": {"edits": [edit]}}
    edited = convert_request(managed, profile=profile, model="m", message_id="msg_1")
    assert "[cleared]" in str(edited.body)
    assert whole.reply.left_out_arguments
    assert edited.reply.left_out_arguments == whole.reply.left_out_arguments
