"""What a conversation changed about its tools."""

from __future__ import annotations

from typing import Any

import pytest

from claude_code_proxy.core.compaction.tool_changes import tool_changes
from claude_code_proxy.core.convert_request import convert_request
from claude_code_proxy.core.providers.profile import Profile
from tests.core.cases import CASES, load


@pytest.mark.parametrize(
    "case", load(CASES / "compaction" / "tool_changes.json"), ids=lambda case: case["name"]
)
def test_changes(case: dict[str, Any]) -> None:
    assert tool_changes(case["request"]) == case["expected"]


def test_the_model_has_the_same_tools_after_a_summary() -> None:
    schema = {"input_schema": {"type": "object"}}
    added = {"type": "tool_definition", "definition": {"name": "new", **schema}}
    tools: list[dict[str, Any]] = [{"name": name, **schema} for name in ("ToolSearch", "kept", "gone")]
    tools += [{"name": name, "defer_loading": True, **schema} for name in ("found", "called", "hidden")]
    messages = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "called", "input": {}}]},
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "t",
                    "content": [{"type": "tool_reference", "tool_name": "found"}],
                }
            ],
        },
        {
            "role": "system",
            "content": [
                {"type": "tool_addition", "tool": added},
                {"type": "tool_removal", "tool": {"type": "tool_reference", "name": "gone"}},
            ],
        },
    ]
    request = {"model": "m", "max_tokens": 9, "tools": tools, "messages": messages}
    block = {"type": "compaction", "content": "s", "tool_changes": tool_changes(request)}
    after = {**request, "messages": [{"role": "assistant", "content": [block]}]}
    offered = [{tool["function"]["name"] for tool in _converted(one)["tools"]} for one in (request, after)]
    assert offered[0] == offered[1] == {"ToolSearch", "kept", "found", "called", "new"}


def _converted(request: dict[str, Any]) -> dict[str, Any]:
    return convert_request(request, profile=Profile(), model="u", message_id="msg_1").body
