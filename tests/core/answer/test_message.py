"""Events, added up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.core.answer import events
from claude_code_proxy.core.answer.message import fold
from claude_code_proxy.core.answer_context import ReplyContext
from claude_code_proxy.core.report import Report

if TYPE_CHECKING:
    from claude_code_proxy.core.answer.events import Event


def run(*blocks: list[Event], details: dict[str, Any] | None = None) -> list[Event]:
    usage = events.usage(1, 2)
    return [
        events.message_start(events.message(ReplyContext(model="m", message_id="msg_1"))),
        events.PING,
        *[event for block in blocks for event in block],
        events.message_delta("end_turn", None, usage, details),
        events.MESSAGE_STOP,
    ]


def block(start: dict[str, Any], *deltas: tuple[str, str, Any]) -> list[Event]:
    return [
        events.block_start(0, start),
        *[events.block_delta(0, *delta) for delta in deltas],
        events.block_stop(0),
    ]


TEXT = {"type": "text", "text": ""}
TOOL = {"type": "tool_use", "id": "t", "name": "Read", "input": {}}
SEARCH = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
RESULT = {"type": "web_search_tool_result", "tool_use_id": "s", "content": []}
THINKING = {"type": "thinking", "thinking": "", "signature": ""}
TEXT_DELTAS = [("text_delta", "text", "a"), ("text_delta", "text", "b")]


@pytest.mark.parametrize(
    ("events_of_block", "expected"),
    [
        (block(TEXT), TEXT),
        (block(TEXT, *TEXT_DELTAS), {"type": "text", "text": "ab"}),
        (
            block(TEXT, *TEXT_DELTAS, *[("citations_delta", "citation", {"url": url}) for url in "xy"]),
            {"type": "text", "text": "ab", "citations": [{"url": "x"}, {"url": "y"}]},
        ),
        (
            block(THINKING, ("thinking_delta", "thinking", "hm"), ("signature_delta", "signature", "sig")),
            {"type": "thinking", "thinking": "hm", "signature": "sig"},
        ),
        (block(TOOL), TOOL),
        (
            block(TOOL, *[("input_json_delta", "partial_json", part) for part in ('{"a"', ": 1}")]),
            {**TOOL, "input": {"a": 1}},
        ),
        (
            block(SEARCH, ("input_json_delta", "partial_json", '{"query": "q"}')),
            {**SEARCH, "input": {"query": "q"}},
        ),
        (block(RESULT), RESULT),
    ],
)
def test_a_block(events_of_block: list[Event], expected: dict[str, Any]) -> None:
    report = Report()
    twice = fold(run(events_of_block, block(TEXT), events_of_block), report)
    assert twice["content"] == [expected, TEXT, expected]
    assert report.notices == []


@pytest.mark.parametrize("details", [None, {"type": "refusal", "category": None, "explanation": "no"}])
def test_the_message(details: dict[str, Any] | None) -> None:
    message = fold(run(block(TEXT), details=details), Report())
    assert list(message.items()) == [
        ("id", "msg_1"),
        ("type", "message"),
        ("role", "assistant"),
        ("model", "m"),
        ("content", [TEXT]),
        ("stop_reason", "end_turn"),
        ("stop_sequence", None),
        ("stop_details", details),
        ("usage", events.usage(1, 2)),
    ]
