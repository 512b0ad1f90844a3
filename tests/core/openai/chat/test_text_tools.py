from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_code_proxy.core.deltas import Text
from claude_code_proxy.core.openai.chat import text_tools
from claude_code_proxy.core.openai.chat.text_tools import TextTools
from claude_code_proxy.core.openai.chat.tool_dialects import DIALECTS, TextCall
from tests.core.cases import CASES, load

FILE = load(CASES / "text_tools" / "content.json")
CONTENTS = [pytest.param(case, id=case["name"]) for case in FILE["cases"]]
MARKERS = [
    marker for rows in DIALECTS.values() for row in rows for marker in (row.start, row.end, *row.first)
]


def run(pieces: list[str], dialects: Any, *, ended: bool = True) -> list[Any]:
    """Texts, joined, and calls, in order."""
    tools = TextTools(dialects, FILE["parameters"].keys(), FILE["parameters"])
    found = [part for piece in pieces for part in tools.feed(piece)] + tools.flush(ended=ended)
    assert all(part.text for part in found if isinstance(part, Text))
    shown: list[Any] = []
    for part in found:
        if isinstance(part, TextCall):
            call = {"name": part.name, "arguments": json.loads(part.arguments)}
            shown.append({**call, "id": part.id} if part.id else call)
        elif shown and isinstance(shown[-1], str):
            shown[-1] += part.text
        else:
            shown.append(part.text)
    return shown


@pytest.mark.parametrize("case", CONTENTS)
def test_content_cut_anywhere(case: dict[str, Any]) -> None:
    content, dialects = case["content"], case["dialects"]
    assert run([content], dialects) == case["pieces"]
    assert run(list(content), dialects) == case["pieces"]
    for at in range(len(content)):
        assert run([content[:at], content[at:]], dialects) == case["pieces"]


@given(
    st.lists(
        st.one_of(
            st.sampled_from([case["content"] for case in FILE["cases"]]),
            st.sampled_from([*MARKERS, "```", "~~~", "\n", "`", "{", '{"name":"List"}', "<", " ", "List"]),
            st.text(max_size=5),
        ),
        max_size=8,
    ),
    st.lists(st.integers(0, 200), max_size=10),
    st.booleans(),
)
def test_where_it_is_cut_makes_no_difference(parts: list[str], cuts: list[int], ended: bool) -> None:
    content = "".join(parts)
    places = sorted({0, len(content), *(cut for cut in cuts if cut < len(content))})
    pieces = [content[start:end] for start, end in pairwise(places)]
    whole = run([content], list(DIALECTS), ended=ended)
    assert run(pieces, list(DIALECTS), ended=ended) == whole
    if not any(isinstance(part, dict) for part in whole):
        assert "".join(whole) == content


def test_an_answer_that_was_cut_calls_nothing() -> None:
    content = '<tool_call>{"name": "List"}'
    assert run([content], ["hermes"]) == [{"name": "List", "arguments": {}}]
    assert run([content], ["hermes"], ended=False) == [content]


def test_text_is_passed_on_as_it_comes() -> None:
    tools = TextTools(["hermes"], ["List"], {})
    assert tools.feed("Hello <b") == [Text("Hello <b")]
    assert tools.feed("a <") == [Text("a ")]
    assert tools.feed("tool_call>") == []
    assert tools.feed("no") == [Text("<tool_call>no")]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_group_that_does_not_end_is_text(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_tools, "MAX_CALL", 200)
    call = '<tool_call>{"name": "List"}</tool_call>'
    content = '<tool_call>{"name": "' + "x" * 300 + call
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    assert run(pieces, ["hermes"]) == [content.removesuffix(call), {"name": "List", "arguments": {}}]


def test_a_value_full_of_end_markers_is_given_up() -> None:
    value = "</tool_call>" * (text_tools.MAX_ENDS + 1)
    content = f'<tool_call>{{"name": "Bash", "arguments": {{"command": "{value}"}}}}</tool_call>'
    assert run([content], ["hermes"]) == [content]
    assert run(list(content), ["hermes"]) == [content]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_object_that_does_not_end_is_text(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_tools, "MAX_CALL", 200)
    call = '{"name": "List", "arguments": {}}'
    content = '{"name": "' + "x" * 300 + "\n" + call
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    assert run(pieces, ["json"]) == [content.removesuffix(call), {"name": "List", "arguments": {}}]
