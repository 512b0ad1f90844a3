"""A tool that was renamed on the way to the provider has its own name in the answer, whole and streamed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claude_code_proxy.core.convert_answer import StreamConverter, message_from_answer
from claude_code_proxy.core.convert_request import convert_request
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Report
from claude_code_proxy.core.tool_names import CalledNames
from tests.core.cases import parse_events

NAMES = ("21st_magic", "-x", "plain")
REQUEST: dict[str, Any] = {
    "model": "m",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "hi"}],
    "tools": [{"name": name, "input_schema": {"type": "object"}} for name in NAMES],
}


def whole(api: str, name: str) -> dict[str, Any]:
    if api == "responses":
        call = {
            "type": "function_call",
            "call_id": "c1",
            "name": name,
            "arguments": "{}",
            "status": "completed",
        }
        return {"object": "response", "status": "completed", "output": [call]}
    calls = [{"id": "c1", "type": "function", "function": {"name": name, "arguments": "{}"}}]
    return {"choices": [{"index": 0, "message": {"tool_calls": calls}, "finish_reason": "tool_calls"}]}


def streamed(api: str, name: str) -> bytes:
    if api == "responses":
        item = {"type": "function_call", "id": "i", "call_id": "c1", "name": name, "arguments": "{}"}
        events: list[dict[str, Any]] = [
            {"type": "response.output_item.added", "output_index": 0, "item": {**item, "arguments": ""}},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": {"status": "completed", "output": [item]}},
        ]
    else:
        call = {"index": 0, "id": "c1", "function": {"name": name, "arguments": "{}"}}
        events = [
            {"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]},
            {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
        ]
    return b"".join(f"data: {json.dumps(event)}\n\n".encode() for event in events) + b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("called", "own"),
    [
        ("functions.x", "with a prefix"), ("x", "bare"), ("functions.y", "y"), ("Y", "y"), ("functions.Y", "y"), ("z", "z"),
    ],
)  # fmt: skip
def test_a_name_as_it_was_declared_comes_first(called: str, own: str) -> None:
    names = CalledNames({"functions.x": "with a prefix", "x": "bare", "y": "y"})
    assert names.client_name(called) == own


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("start", ["letter", "letter_or_underscore"])
@pytest.mark.parametrize("name", NAMES)
def test_the_client_gets_its_own_name(api: Any, start: Any, name: str) -> None:
    profile = Profile(api=api, tool_name_start=start)
    converted = convert_request(REQUEST, profile=profile, model="up", message_id="msg_1")
    upstream = {own: sent for sent, own in converted.reply.tool_names.items()}[name]
    assert upstream[0].isalpha()
    message, _ = message_from_answer(whole(api, upstream), profile, converted.reply, Report())
    assert [block["name"] for block in message["content"]] == [name]
    converter = StreamConverter(profile, converted.reply, Report(), "req")
    raw = converter.feed(streamed(api, upstream)) + converter.close()
    starts = [event for event in parse_events(raw) if event["type"] == "content_block_start"]
    assert [event["content_block"]["name"] for event in starts] == [name]
