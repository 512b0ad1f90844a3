"""The tool calls of an answer, and which of them nobody has to judge."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_code_proxy.core.auto_mode.tool_uses import ToolUse, ToolUses, calls_of, is_harmless

CONTEXT = {
    "trusted_directories": {
        "primary": {"path": "/w/project", "resolved": ["/w/project"]},
        "additional": [{"path": "/data/"}, "/other", 5, {"path": "relative"}],
    }
}
VALUES = st.recursive(
    st.none() | st.booleans() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("type", "content_block", "delta", "id", "content")), inner)
    ),
    max_leaves=10,
)


def events(call_id: str, name: str, text: str, size: int) -> list[dict[str, Any]]:
    block = {"type": "tool_use", "id": call_id, "name": name, "input": {}}
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    return [
        {"type": "content_block_start", "index": 1, "content_block": block},
        *({"type": "content_block_delta", "index": 1, "delta": {"partial_json": piece}} for piece in pieces),
        {"type": "content_block_stop", "index": 1},
    ]


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    ("text", "value"),
    [('{"command":"ls"}', {"command": "ls"}), ("", {}), ('{"command":', '{"command":'), ("[1]", "[1]")],
)
def test_a_call_of_a_stream(size: int, text: str, value: Any) -> None:
    uses = ToolUses()
    for event in events("a", "Bash", text, size):
        uses.event(event)
        assert uses.is_open == (event["type"] != "content_block_stop")
    assert uses.found == [ToolUse("a", "Bash", value)]


def test_what_is_no_call() -> None:
    uses = ToolUses()
    delta = {"type": "content_block_delta", "delta": {"partial_json": "x"}}
    text = {"type": "content_block_start", "content_block": {"type": "text", "text": ""}}
    for event in (delta, text, delta, {"type": "content_block_stop"}, {"type": "ping"}, None, 5):
        uses.event(event)
    assert uses.found == []


def test_a_whole_answer() -> None:
    uses = ToolUses()
    call = {"type": "tool_use", "id": "a", "name": "Bash", "input": {"command": "ls"}}
    uses.message({"content": [{"type": "text", "text": "x"}, call, "odd"]})
    assert uses.found == [ToolUse("a", "Bash", {"command": "ls"})]


@given(VALUES)
def test_any_object(value: Any) -> None:
    uses = ToolUses()
    uses.event(value)
    if isinstance(value, dict):
        uses.message(value)
    assert list(calls_of(json.loads(json.dumps(value)))) == list(calls_of(value))
    for call in uses.found:
        assert is_harmless(call, value) in (True, False)


@pytest.mark.parametrize(
    ("name", "value", "harmless"),
    [
        ("ToolSearch", {"query": "x"}, True),
        ("TodoWrite", "no json", True),
        ("Bash", {"command": "ls"}, False),
        ("mcp__server__read", {}, False),
        ("Read", {"file_path": "/w/project/a.py"}, True),
        ("Read", {"file_path": "/w/project/.env"}, True),
        ("Read", {"file_path": "/data/x"}, True),
        ("Read", {"file_path": "/other/x"}, True),
        ("Read", {"file_path": "/w/project-2/a.py"}, False),
        ("Read", {"file_path": "/w/project/../secret"}, False),
        ("Read", {"file_path": "/home/u/.ssh/id"}, False),
        ("Read", {"file_path": "a.py"}, False),
        ("Read", {"file_path": 5}, False),
        ("Read", {}, False),
        ("Read", "no json", False),
        ("Grep", {"pattern": "x"}, True),
        ("Grep", {"pattern": "x", "path": "/etc"}, False),
        ("Write", {"file_path": "/w/project/a.py", "content": "x"}, True),
        ("Edit", {"file_path": "/w/project"}, True),
        ("Write", {"file_path": "/w/project/.git/hooks/pre-commit"}, False),
        ("Write", {"file_path": "/w/project/sub/.env"}, False),
        ("NotebookEdit", {"notebook_path": "/tmp/x"}, False),
        ("Write", {"content": "x"}, False),
    ],
)
def test_what_nobody_has_to_judge(name: str, value: Any, harmless: bool) -> None:
    assert is_harmless(ToolUse("a", name, value), CONTEXT) is harmless


@pytest.mark.parametrize(
    "context", [{}, {"trusted_directories": []}, {"trusted_directories": {"primary": {"path": "/"}}}]
)
def test_no_trusted_folder(context: Any) -> None:
    assert not is_harmless(ToolUse("a", "Read", {"file_path": "/x"}), context)
