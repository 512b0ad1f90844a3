"""A cache mark moves on with each turn; the bytes of the messages before it stay."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from claude_code_proxy.core.convert_request import convert_request
from claude_code_proxy.core.providers.profile import Profile

MARK = {"type": "ephemeral", "ttl": "1h"}
USE = {"type": "tool_use", "id": "t1", "name": "Read", "input": {}}
MESSAGES: list[dict[str, Any]] = [
    {"role": "user", "content": [{"type": "text", "text": "q"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "a"}, USE]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "r"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "b"}]},
    {"role": "user", "content": [{"type": "text", "text": "go"}]},
]


def without_marks(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_marks(item) for key, item in value.items() if "cache" not in key}
    return [without_marks(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("kind", ["passthrough", "openai_breakpoint"])
@pytest.mark.parametrize("marked", range(len(MESSAGES)))
def test_a_message_has_one_form(api: Any, kind: Any, marked: int) -> None:
    profile = Profile(api=api, cache_control=kind)
    messages = copy.deepcopy(MESSAGES)
    messages[marked]["content"][0]["cache_control"] = MARK

    def body(messages: list[dict[str, Any]]) -> dict[str, Any]:
        request = {"model": "m", "max_tokens": 100, "messages": messages}
        return convert_request(request, profile=profile, model="m", message_id="msg_1").body

    assert without_marks(body(messages)) == body(MESSAGES)
    if api == "chat":
        assert body(messages) != body(MESSAGES)


@pytest.mark.parametrize(
    ("mark", "sent"),
    [
        ({"type": "ephemeral"}, {"type": "ephemeral"}),
        ({"type": "ephemeral", "ttl": "5m"}, {"type": "ephemeral"}),
        (MARK, MARK),
        ({"type": "ephemeral", "ttl": 5}, {"type": "ephemeral"}),
        ("odd", {"type": "ephemeral"}),
    ],
)
def test_a_mark_keeps_its_time(mark: Any, sent: dict[str, str]) -> None:
    content = [{"type": "text", "text": "q", "cache_control": mark}]
    request = {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": content}]}
    converted = convert_request(
        request, profile=Profile(cache_control="passthrough"), model="m", message_id="msg_1"
    )
    assert converted.body["messages"][0]["content"] == [{"type": "text", "text": "q", "cache_control": sent}]


def test_what_several_parts_became_is_kept_for_the_longest_time() -> None:
    parts = [
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "b", "cache_control": MARK},
    ]
    request = {
        "model": "m",
        "max_tokens": 9,
        "messages": [MESSAGES[0], {"role": "assistant", "content": parts}],
    }
    profile = Profile(cache_control="passthrough", prefill="native_last")
    converted = convert_request(request, profile=profile, model="m", message_id="msg_1")
    assert converted.body["messages"][-1]["content"] == [
        {"type": "text", "text": "ab", "cache_control": MARK}
    ]
