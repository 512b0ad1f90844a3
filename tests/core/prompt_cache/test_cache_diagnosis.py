"""Why a cache was missed, told from a message id alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.types.beta import BetaDiagnostics
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from claude_code_proxy.core.prompt_cache.cache_diagnosis import diagnose, read

ID = "msg_0123456789abcdef01234567"
MARK = {"cache_control": {"type": "ephemeral"}}
TOOL = {"name": "Read", "description": "d", "input_schema": {"type": "object"}}
FIRST: dict[str, Any] = {
    "model": "m",
    "system": [
        {"type": "text", "text": "x-anthropic-billing-header: cch=1"},
        {"type": "text", "text": "Be kind", **MARK},
    ],
    "tools": [TOOL],
    "messages": [{"role": "user", "content": [{"type": "text", "text": "hi", **MARK}]}],
}
ANSWERED = [
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": [{"type": "text", "text": "ho"}]},
    {"role": "user", "content": [{"type": "text", "text": "go on", **MARK}]},
]
NEXT: dict[str, Any] = {
    **FIRST,
    "system": [
        {"type": "text", "text": "x-anthropic-billing-header: cch=2"},
        {"type": "text", "text": "Be kind"},
    ],
    "messages": ANSWERED,
}


def told(first: dict[str, Any], then: dict[str, Any], tokens: int = 1000) -> Any:
    message_id, nothing = diagnose(first, {"previous_message_id": None}, ID, tokens)
    assert nothing is None
    assert message_id.endswith(ID.removeprefix("msg_"))
    assert message_id.isascii()
    _, diagnostics = diagnose(then, {"previous_message_id": message_id}, ID, tokens + 50)
    TypeAdapter(BetaDiagnostics | None).validate_python(diagnostics)
    return diagnostics and diagnostics["cache_miss_reason"]


def test_marks_and_forms_and_what_is_appended_change_nothing() -> None:
    assert told(FIRST, NEXT) is None
    assert told(FIRST, FIRST) is None
    assert told({**FIRST, "system": "Be kind"}, FIRST) is None


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"model": "n"}, "model_changed"),
        ({"speed": "fast"}, "model_changed"),
        ({"system": "Be kind!"}, "system_changed"),
        ({"system": None}, "system_changed"),
        ({"tools": [TOOL, {**TOOL, "name": "mcp__x"}]}, "tools_changed"),
        ({"tools": [], "system": "other"}, "system_changed"),
        ({"thinking": {"type": "adaptive"}}, "unavailable"),
    ],
)
def test_what_changed(change: dict[str, Any], kind: str) -> None:
    reason = told(FIRST, {**NEXT, **change})
    assert reason["type"] == kind
    assert reason.get("cache_missed_input_tokens", 1000) == 1000


def test_earlier_messages() -> None:
    other = [{"role": "user", "content": "hey"}, *ANSWERED[1:]]
    reason = told(FIRST, {**NEXT, "messages": other, "thinking": {"type": "adaptive"}})
    assert reason["type"] == "messages_changed"
    assert 0 < reason["cache_missed_input_tokens"] < 1000
    assert told(NEXT, FIRST)["type"] == "messages_changed", "there are fewer"
    assert told(NEXT, {**NEXT, "messages": 5})["type"] == "messages_changed"


@pytest.mark.parametrize(
    "named", ["msg_0123456789abcdef01234567", "msg_01XFDUDYJgAACzvnptvVoYEL", "", "x", "msg_" + "c1" * 43]
)
def test_ids_of_others(named: str) -> None:
    _, diagnostics = diagnose(NEXT, {"previous_message_id": named}, ID, 5)
    assert diagnostics == {"cache_miss_reason": {"type": "previous_message_not_found"}}
    assert diagnose(NEXT, {"previous_message_id": 7}, ID, 5)[1] is None


def test_numbers_that_are_too_large_for_an_id() -> None:
    message_id, _ = diagnose({}, {}, ID, 1 << 40)
    prompt = read(message_id)
    assert prompt is not None
    assert (prompt.turns, prompt.tokens) == (0, 0xFFFFFFFF)


@given(st.text())
def test_any_text_is_no_id_or_one_of_ours(text: str) -> None:
    assert read(text) is None


def test_nothing_of_the_prompt_is_in_the_id() -> None:
    message_id, _ = diagnose(FIRST, {}, ID, 5)
    assert json.dumps("Be kind") not in message_id
    assert len(message_id) < 128
