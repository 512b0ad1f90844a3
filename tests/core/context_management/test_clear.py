"""What the edits clear: tests/cases/context_management, and what holds for any conversation."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_code_proxy.core.context_management.clear import (
    PLACEHOLDER,
    Cleared,
    clear_thinking,
    clear_tool_uses,
    tool_uses,
)
from claude_code_proxy.core.context_management.edits import CLEAR_TOOL_USES, ClearToolUses, read_edits
from tests import paths

CASES = paths.CASES / "context_management"
TOOL_USES = json.loads((CASES / "clear_tool_uses.json").read_text())
THINKING = json.loads((CASES / "clear_thinking.json").read_text())

TOOLS = ("read", "write", "memory")
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}
MORE: list[Any] = [{"role": "assistant", "content": "well"}, {"role": "user", "content": "more"}]


def cleared(messages: list[Any], **fields: Any) -> Cleared:
    edit = {"type": CLEAR_TOOL_USES, **fields}
    found = read_edits({"context_management": {"edits": [edit]}})
    assert found is not None
    assert isinstance(found[0], ClearToolUses)
    return clear_tool_uses(messages, found[0])


@pytest.mark.parametrize("case", TOOL_USES, ids=lambda case: case["why"])
def test_tool_uses(case: dict[str, Any]) -> None:
    before = copy.deepcopy(case["messages"])
    assert cleared(case["messages"], **case["edit"]) == (case["expected"], case["cleared"])
    assert case["messages"] == before


@pytest.mark.parametrize("case", THINKING, ids=lambda case: case["why"])
def test_thinking(case: dict[str, Any]) -> None:
    before = copy.deepcopy(case["messages"])
    assert clear_thinking(case["messages"], case["turns"]) == (case["expected"], case["cleared"])
    assert case["messages"] == before


# --- what holds for any conversation --------------------------------------------------------------------
@st.composite
def conversations(draw: st.DrawFn) -> list[Any]:
    """Steps of an agent: calls, some of them at once, with their results; now and then the user speaks."""
    messages: list[Any] = [{"role": "user", "content": "go"}]
    number = 0
    for _ in range(draw(st.integers(0, 6))):
        calls: list[Any] = [dict(THOUGHT)] if draw(st.booleans()) else []
        results: list[Any] = []
        for name in draw(st.lists(st.sampled_from(TOOLS), max_size=3)):
            number += 1
            calls.append({"type": "tool_use", "id": f"t{number}", "name": name, "input": {"n": number}})
            text = draw(st.sampled_from(["", "short", "long " * 50]))
            results.append({"type": "tool_result", "tool_use_id": f"t{number}", "content": text})
        spoken: list[Any] = [{"type": "text", "text": "and?"}] if draw(st.booleans()) or not results else []
        messages.append({"role": "assistant", "content": calls or "hm"})
        messages.append({"role": "user", "content": [*draw(st.permutations(results)), *spoken]})
    return messages


options = st.fixed_dictionaries(
    {"keep": st.builds(lambda value: {"type": "tool_uses", "value": value}, st.integers(0, 5))},
    optional={
        "exclude_tools": st.lists(st.sampled_from(TOOLS)),
        "clear_tool_inputs": st.booleans() | st.lists(st.sampled_from(TOOLS)),
    },
)


def shape(messages: list[Any]) -> list[Any]:
    """The messages without what may be cleared."""
    kept = copy.deepcopy(messages)
    for message in kept:
        for block in message["content"] if isinstance(message["content"], list) else ():
            if block["type"] == "tool_use":
                del block["input"]
            if block["type"] == "tool_result":
                del block["content"]
    return kept


def placeholders(messages: list[Any]) -> list[str]:
    blocks = [block for message in messages for block in message["content"] if isinstance(block, dict)]
    return [block["tool_use_id"] for block in blocks if block.get("content") == PLACEHOLDER]


@given(conversations(), options)
def test_every_call_keeps_its_result(messages: list[Any], fields: dict[str, Any]) -> None:
    edited = cleared(messages, **fields)
    assert shape(edited.messages) == shape(messages)
    assert edited.number == len(placeholders(edited.messages))
    assert edited.number <= max(tool_uses(messages) - fields["keep"]["value"], 0)
    assert edited.messages[-1] == messages[-1]  # the model has not seen it


@given(conversations(), options)
def test_twice_is_as_once(messages: list[Any], fields: dict[str, Any]) -> None:
    once = cleared(messages, **fields).messages
    assert cleared(once, **fields) == (once, 0)
    assert cleared(messages, **fields).messages == once


@given(conversations(), conversations(), options)
def test_what_was_cleared_stays_cleared(
    messages: list[Any], later: list[Any], fields: dict[str, Any]
) -> None:
    renamed = json.loads(json.dumps(later).replace('"id": "t', '"id": "u').replace('_id": "t', '_id": "u'))
    first = placeholders(cleared(messages, **fields).messages)
    assert set(first) <= set(placeholders(cleared([*messages, *MORE, *renamed], **fields).messages))


@given(conversations(), options, st.integers(0, 5))
def test_keeping_less_clears_more(messages: list[Any], fields: dict[str, Any], less: int) -> None:
    fewer = {**fields, "keep": {"type": "tool_uses", "value": min(less, fields["keep"]["value"])}}
    kept, cut = (set(placeholders(cleared(messages, **one).messages)) for one in (fields, fewer))
    assert kept <= cut


@given(conversations(), st.integers(0, 4))
def test_thinking_is_all_that_goes(messages: list[Any], turns: int) -> None:
    edited = clear_thinking(messages, turns)
    for before, after in zip(messages, edited.messages, strict=True):
        if before != after:
            assert after["content"] == [block for block in before["content"] if block != THOUGHT]
    assert clear_thinking(edited.messages, turns) == (edited.messages, 0)
    assert (edited.number > 0) == (edited.messages != messages)
