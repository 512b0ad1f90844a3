"""Requests in the shape of the real Claude Code convert, and stay stable from turn to turn."""

from __future__ import annotations

import copy
import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.core import wire
from claude_code_proxy.core.convert_request import ConvertedRequest, convert_request
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.request.read import BILLING_PREFIX
from tests import paths
from tests.core.openai import sdk_types

if TYPE_CHECKING:
    from pathlib import Path

FIXTURES = sorted(paths.FIXTURES.glob("*.json"))
PROFILES = {
    "default": Profile(),
    "deepseek": Profile(
        name="deepseek",
        thinking_switch="thinking_type",
        effort_values=("low", "high", "max"),
        reasoning_replay="reasoning_content",
        require_reasoning_on_tool_calls=True,
        tool_choice_thinking="auto_none",
        structured_output="json_object",
    ),
    "strict": Profile(
        name="strict",
        tool_id="alnum9",
        user_after_tool="merge_into_tool",
        assistant_empty_content="empty_string",
        vision=False,
        pdf="file_part",
        schema_dialect="gemini",
        mid_system="keep",
    ),
}
NOT_FOR_OPENAI = (
    "context_management", "output_config", "metadata", "betas", "system", "max_input_tokens",
)  # fmt: skip


def load(path: Path) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(path.read_text())["body"]
    body.setdefault("max_tokens", 1)  # a count_tokens request has none
    return body


def convert(body: dict[str, Any], profile: Profile) -> ConvertedRequest:
    return convert_request(body, profile=profile, model="up-model", message_id="msg_1")


def messages(body: dict[str, Any], profile: Profile) -> list[bytes]:
    return [wire.dumps(message) for message in convert(body, profile).body["messages"]]


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_fixture_converts(path: Path, profile: Profile) -> None:
    request = load(path)
    untouched = copy.deepcopy(request)
    converted = convert(request, profile)
    assert request == untouched
    sdk_types.validate(converted.body)
    text = wire.dumps_text(converted.body)
    assert BILLING_PREFIX not in text
    assert "cache_control" not in text
    assert "defer_loading" not in text
    assert "DeferredToolPlaceholder" not in {
        tool["function"]["name"] for tool in converted.body.get("tools", [])
    }
    assert not converted.body.keys() & set(NOT_FOR_OPENAI)
    assert converted.reply.model == request["model"]
    assert converted.stream is (request.get("stream") is True)


def prefixes(path: Path) -> list[dict[str, Any]]:
    """The requests that led to the one in `path`, as the client made them."""
    request = load(path)
    ends = [i for i, message in enumerate(request["messages"]) if message["role"] == "assistant"]
    return [{**request, "messages": request["messages"][:end]} for end in ends] + [request]


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_each_turn_begins_with_the_one_before(path: Path, profile: Profile) -> None:
    turns = [messages(as_sent(body), profile) for body in prefixes(path) if body["messages"]]
    for before, after in pairwise(turns):
        assert after[: len(before)] == before


def as_sent(body: dict[str, Any]) -> dict[str, Any]:
    """`body` as the last request: the mark on the last block, a last system message as an array."""
    body = copy.deepcopy(body)
    for message in body["messages"]:
        content = message["content"]
        if isinstance(content, list):
            for block in content:
                block.pop("cache_control", None)
    last = body["messages"][-1]
    if isinstance(last["content"], str):
        last["content"] = [{"type": "text", "text": last["content"]}]
    last["content"][-1]["cache_control"] = {"type": "ephemeral"}
    return body


def generated_conversation(turns: int) -> list[dict[str, Any]]:
    """Messages of a long session: reasoning, parallel tools, reminders, repeated ids, an interruption."""
    out: list[dict[str, Any]] = [
        {"role": "user", "content": [{"type": "text", "text": "start"}]},
        {"role": "system", "content": "skills and agents"},
    ]
    for turn in range(turns):
        calls = [
            {"type": "tool_use", "id": f"call_{turn % 7}_{n}", "name": "Read", "input": {"n": n, "é": turn}}
            for n in range(1 + turn % 3)
        ]
        thinking = {"type": "thinking", "thinking": f"thought {turn}", "signature": "" if turn % 2 else "x"}
        out.append({"role": "assistant", "content": [thinking, {"type": "text", "text": "I look."}, *calls]})
        answered = calls if turn % 11 else calls[1:]
        results: list[dict[str, Any]] = [
            {"type": "tool_result", "tool_use_id": call["id"], "content": f"result {turn}"}
            for call in reversed(answered)
        ]
        out.append({"role": "user", "content": [*results, {"type": "text", "text": f"and {turn}?"}]})
        if turn % 5 == 0:
            out.append({"role": "system", "content": f"reminder {turn}"})
    return out


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_a_session_of_200_turns_keeps_its_prefix(profile: Profile) -> None:
    history = generated_conversation(200)
    before: list[bytes] = []
    for end in range(1, len(history) + 1):
        asks = history[end - 1]["role"] != "assistant"
        followed = end < len(history) and history[end]["role"] != "assistant"
        if not asks or followed:
            continue
        version = f"cc_version=2.1.{end}; cch={end};"
        body = as_sent(
            {
                "model": "m",
                "max_tokens": 10,
                "system": [
                    {"type": "text", "text": f"{BILLING_PREFIX} {version}"},
                    {"type": "text", "text": "You are an agent."},
                ],
                "messages": history[:end],
            }
        )
        now = messages(body, profile)
        assert now[: len(before)] == before
        assert len(now) > len(before)
        before = now
