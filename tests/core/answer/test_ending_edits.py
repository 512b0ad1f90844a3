"""How an answer ends, streamed and whole."""

from __future__ import annotations

from typing import Any

import pytest

from claude_code_proxy.core.answer.message import fold
from claude_code_proxy.core.answer.writer import BlockWriter
from claude_code_proxy.core.answer_context import ReplyContext
from claude_code_proxy.core.deltas import Finish, Text, Usage
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Report

EDIT = {"type": "clear_tool_uses_20250919", "cleared_tool_uses": 2, "cleared_input_tokens": 40}


@pytest.mark.parametrize(
    ("applied", "told"),
    [
        (None, {}),
        ((), {"context_management": {"applied_edits": []}}),
        ((EDIT,), {"context_management": {"applied_edits": [EDIT]}}),
    ],
)
def test_applied_edits_stand_beside_the_delta_and_in_the_message(
    applied: tuple[dict[str, Any], ...] | None, told: dict[str, Any]
) -> None:
    reply = ReplyContext(model="m", message_id="msg_1", applied_edits=applied)
    writer = BlockWriter(Profile(), reply, Report())
    events = [*writer.write([Text("hi"), Finish("end_turn"), Usage(1, 1)]), *writer.end()]
    delta = events[-2]
    assert {key: value for key, value in delta.items() if key not in ("type", "delta", "usage")} == told
    message = fold(events, Report())
    assert {key: value for key, value in message.items() if key == "context_management"} == told
