"""One request, converted for every provider: the whole body beside messages and tools, and the tool turn.

The request asks for all that providers disagree on: thinking with an effort, temperature 0, two stops, a
forced single tool, a large limit, and an earlier tool call with its reasoning.
"""

from __future__ import annotations

from typing import Any

import pytest

from claude_code_proxy.core import providers
from claude_code_proxy.core.convert_request import convert_request
from tests.core.providers.cases import REQUEST, cases

CASES = cases("requests")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['provider']}-{case['model']}")
def test_converted_request(case: dict[str, Any]) -> None:
    profile = providers.profile_for(api_base="", model=case["model"], name=case["provider"])
    converted = convert_request(REQUEST, profile=profile, model=case["model"], message_id="msg_1")
    body = dict(converted.body)
    items = body.pop("input", None)
    messages = body.pop("messages", items)
    assert len(body.pop("tools")) == 1
    assert body.pop("model") == case["model"]
    hashed = {key: body[key] for key, value in case["body"].items() if value == "$STR"}
    assert all(isinstance(value, str) and len(value) == 64 for value in hashed.values())
    assert body == case["body"] | hashed, case["why"]

    roles = " ".join(message.get("role") or message["type"] for message in messages)
    assert roles == case["roles"], case["why"]
    assert set(case["notices"]) <= set(converted.report.codes)
    if items is not None:
        return
    assistant = dict(next(message for message in messages if message["role"] == "assistant"))
    (call,) = assistant.pop("tool_calls")
    assert assistant == case["assistant"], case["why"]
    (result,) = (message for message in messages if message["role"] == "tool")
    assert call["id"] == result["tool_call_id"] == case["tool_id"]
    extra = {key: value for key, value in call.items() if key not in ("id", "type", "function")}
    assert extra == case.get("call_extra", {}), case["why"]


def test_every_provider_has_a_case() -> None:
    assert {case["provider"] for case in CASES} == {*providers.PROFILE_NAMES} - {"custom"}
