"""Context editing with the official Python SDK: what reaches the provider, and what the SDK reads of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import pytest
from anthropic import beta_tool

from tests.e2e.sdk import text_of

if TYPE_CHECKING:
    from claude_code_proxy.demo.provider import Provider

BETAS: Any = ["context-management-2025-06-27"]
FILE = "a line of a file\n" * 100
TOOL: Any = {
    "name": "read_file",
    "description": "Read a file.",
    "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}},
}
FEW_USES: Any = {
    "edits": [
        {"type": "clear_thinking_20251015", "keep": {"type": "thinking_turns", "value": 1}},
        {
            "type": "clear_tool_uses_20250919",
            "trigger": {"type": "tool_uses", "value": 3},
            "keep": {"type": "tool_uses", "value": 2},
            "clear_tool_inputs": True,
        },
    ]
}


def conversation(files: int) -> dict[str, Any]:
    """The arguments of a request after the model read so many files, one in each turn."""
    messages: list[Any] = []
    for number in range(files):
        use = {
            "type": "tool_use",
            "id": f"toolu_{number}",
            "name": "read_file",
            "input": {"path": f"{number}.txt"},
        }
        thought = {
            "type": "thinking",
            "thinking": "The user wants to see this file. " * 5,
            "signature": "c2ln",
        }
        result = {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": FILE}
        messages += [
            {"role": "user", "content": f"read {number}.txt"},
            {"role": "assistant", "content": [thought, use]},
            {"role": "user", "content": [result]},
            {"role": "assistant", "content": "I read it."},
        ]
    messages.append({"role": "user", "content": "say done"})
    return {"model": "demo-reason", "max_tokens": 3000, "messages": messages, "tools": [TOOL]}


@pytest.mark.parametrize("streamed", [False, True])
def test_applied_edits(client: anthropic.Anthropic, provider: Provider, streamed: bool) -> None:
    asked = conversation(6)
    thinking: Any = {"type": "enabled", "budget_tokens": 1024}
    if streamed:
        with client.beta.messages.stream(
            **asked, thinking=thinking, betas=BETAS, context_management=FEW_USES
        ) as stream:
            message = stream.get_final_message()
    else:
        message = client.beta.messages.create(
            **asked, thinking=thinking, betas=BETAS, context_management=FEW_USES
        )
    assert text_of(message) == "done"
    assert message.context_management is not None
    thought, used = message.context_management.applied_edits
    assert thought.type == "clear_thinking_20251015"
    assert used.type == "clear_tool_uses_20250919"
    assert thought.cleared_thinking_turns == 5
    assert used.cleared_tool_uses == 4
    assert used.cleared_input_tokens > 4 * 300
    assert 5 * 20 < thought.cleared_input_tokens < used.cleared_input_tokens
    sent = provider.requests[-1].body["messages"]
    results = [one["content"] for one in sent if one["role"] == "tool"]
    assert results == ["[cleared]"] * 4 + [FILE] * 2
    calls = [call["function"]["arguments"] for one in sent for call in one.get("tool_calls", ())]
    assert calls == ["{}"] * 4 + ['{"path":"4.txt"}', '{"path":"5.txt"}']
    assert [bool(one.get("reasoning_content")) for one in sent if "tool_calls" in one] == [False] * 5 + [True]


def test_count_tokens_previews_them(client: anthropic.Anthropic, provider: Provider) -> None:
    asked, short = conversation(6), conversation(0)
    del asked["max_tokens"], short["max_tokens"]
    whole = client.beta.messages.count_tokens(**asked)
    edited = client.beta.messages.count_tokens(**asked, betas=BETAS, context_management=FEW_USES)
    assert whole.context_management is None
    assert edited.context_management is not None
    same = client.beta.messages.count_tokens(**short, betas=BETAS, context_management=FEW_USES)
    assert same.context_management is not None
    assert same.context_management.original_input_tokens == same.input_tokens
    assert edited.input_tokens < whole.input_tokens / 2
    assert edited.context_management.original_input_tokens == whole.input_tokens
    assert not provider.requests


def test_nothing_to_clear(client: anthropic.Anthropic, provider: Provider) -> None:
    message = client.beta.messages.create(**conversation(2), betas=BETAS, context_management=FEW_USES)
    assert message.context_management is not None
    assert [edit.type for edit in message.context_management.applied_edits] == ["clear_thinking_20251015"]
    whole = client.beta.messages.create(**conversation(1), betas=BETAS, context_management=FEW_USES)
    assert whole.context_management is not None
    assert whole.context_management.applied_edits == []
    plain = client.beta.messages.create(**conversation(1))
    assert plain.context_management is None
    assert [one["content"] for one in provider.requests[-1].body["messages"] if one["role"] == "tool"] == [
        FILE
    ]


def test_a_wrong_value_is_refused_with_its_path(client: anthropic.Anthropic, provider: Provider) -> None:
    wrong: Any = {"edits": [{"type": "clear_tool_uses_20250919", "keep": {"type": "tool_uses", "value": -1}}]}
    with pytest.raises(anthropic.BadRequestError, match=r"context_management\.edits\.0\.keep\.value"):
        client.beta.messages.create(**conversation(1), betas=BETAS, context_management=wrong)
    with pytest.raises(anthropic.BadRequestError, match=r"context_management\.edits\.0\.keep\.value"):
        client.beta.messages.count_tokens(
            model="demo", messages=[{"role": "user", "content": "hi"}], betas=BETAS, context_management=wrong
        )
    assert not provider.requests


def test_the_tool_runner_goes_on_while_results_are_cleared(
    client: anthropic.Anthropic, provider: Provider
) -> None:
    """The demo's model answers from the result that it asked for last, so that one must be whole."""

    @beta_tool
    def shell(command: str, description: str = "") -> str:
        """Run a command.

        Args:
            command: what to run
            description: what for
        """
        return f"output of {command}"

    edits: Any = {
        "edits": [
            {
                "type": "clear_tool_uses_20250919",
                "trigger": {"type": "tool_uses", "value": 1},
                "keep": {"type": "tool_uses", "value": 0},
            }
        ]
    }
    messages: list[Any] = []
    for command in ("date", "uptime", "who"):
        messages.append({"role": "user", "content": f"run: {command}"})
        runner = client.beta.messages.tool_runner(
            model="demo",
            max_tokens=500,
            tools=[shell],
            messages=list(messages),
            betas=BETAS,
            context_management=edits,
        )
        for message in runner:
            call = next((block for block in message.content if block.type == "tool_use"), None)
            messages.append({"role": "assistant", "content": message.content})
            if call is not None:
                result = {"type": "tool_result", "tool_use_id": call.id, "content": f"output of {command}"}
                messages.append({"role": "user", "content": [result]})
        assert f"output of {command}" in text_of(message)
    results = [one["content"] for one in provider.requests[-1].body["messages"] if one["role"] == "tool"]
    assert results == ["[cleared]", "[cleared]", "output of who"]
