"""Twenty turns with encrypted reasoning and tools against a provider that insists on its own items.

The fake below remembers what it sent and refuses a request that does not give everything back, unmodified
and in order, though it was told to store nothing. The client keeps only the message it was shown, as JSON.
"""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from claude_code_proxy.core import providers, wire
from claude_code_proxy.core.convert_answer import StreamFold, message_from_answer
from claude_code_proxy.core.convert_request import convert_request
from tests.core.openai.responses.test_encode_cases import validate

TURNS = 20
TOOL = {"name": "Read", "input_schema": {"type": "object", "properties": {"n": {"type": "integer"}}}}


class StrictProvider:
    """Answers with reasoning, messages and calls in changing order, and checks every request."""

    def __init__(self) -> None:
        self.expected: list[dict[str, Any]] = []
        """The items that a request must begin with; each turn adds its own."""

    def answer(self, turn: int, body: dict[str, Any]) -> list[dict[str, Any]]:
        self.check(body)
        pick = random.Random(turn)
        output: list[dict[str, Any]] = []
        for at in range(pick.randrange(1, 4)):
            if pick.random() < 0.8:
                names = [f"{turn}_{at}_{twin}" for twin in range(pick.randrange(1, 3))]
                output += [self.reasoning(name, spoken=pick.random() < 0.5) for name in names]
            if pick.random() < 0.5:
                output.append(self.message(f"turn {turn} part {at}", pick.choice(["commentary", None])))
            output.append(self.call(turn, at))
        if pick.random() < 0.2:
            output.append(self.reasoning(f"{turn}_alone", spoken=False))  # the output limit came next
        return output

    def reasoning(self, name: str, *, spoken: bool) -> dict[str, Any]:
        summary = [{"type": "summary_text", "text": f"thought {name} é"}] if spoken else []
        encrypted = f"gAAAA{name}+/=="
        item = {"type": "reasoning", "id": f"rs_{name}", "summary": summary, "encrypted_content": encrypted}
        return {**item, "status": "completed"}

    def message(self, text: str, phase: str | None) -> dict[str, Any]:
        parts = [{"type": "output_text", "text": text, "annotations": []}]
        return {"type": "message", "id": "msg_1", "role": "assistant", "content": parts, "phase": phase}

    def call(self, turn: int, at: int) -> dict[str, Any]:
        call_id = f"call_{turn}_{at}"
        arguments = json.dumps({"n": turn * 10 + at}, separators=(",", ":"))
        return {
            "type": "function_call",
            "id": "fc",
            "call_id": call_id,
            "name": "Read",
            "arguments": arguments,
        }

    def remember(self, output: list[dict[str, Any]]) -> None:
        """What the next request must hold of `output`."""
        while output and output[-1]["type"] == "reasoning":
            output = output[:-1]
        for item in output:
            match item["type"]:
                case "reasoning":
                    self.expected.append({key: value for key, value in item.items() if key != "status"})
                case "message":
                    said = {"role": "assistant", "content": item["content"][0]["text"]}
                    self.expected.append({**said, **({"phase": item["phase"]} if item["phase"] else {})})
                case _:
                    self.expected.append({key: value for key, value in item.items() if key != "id"})

    def check(self, body: dict[str, Any]) -> None:
        validate(body)
        assert body["store"] is False
        assert body["include"] == ["reasoning.encrypted_content"]
        assert body["input"] == self.expected


def as_stream(output: list[dict[str, Any]]) -> bytes:
    """The events of `output`: what is announced of reasoning is not what counts in the end."""
    events: list[dict[str, Any]] = [{"type": "response.created", "response": {}}]
    for place, item in enumerate(output):
        early = {"encrypted_content": "early"} if item["type"] == "reasoning" else {}
        empty: dict[str, Any] = {"arguments": ""} if item["type"] == "function_call" else {"content": []}
        events.append({"type": "response.output_item.added", "item": {**item, **empty, **early}})
        growing: list[tuple[str, str]] = []
        match item["type"]:
            case "reasoning":
                growing = [("reasoning_summary_text", part["text"]) for part in item["summary"]]
            case "message":
                growing = [("output_text", letter) for letter in item["content"][0]["text"]]
            case _:
                growing = [("function_call_arguments", letter) for letter in item["arguments"]]
        events += [{"type": f"response.{kind}.delta", "delta": text} for kind, text in growing]
        events.append({"type": "response.output_item.done", "item": item})
        for event in events:
            event.setdefault("output_index", place)
            event["item_id"] = f"{random.random()}"  # GitHub Copilot's habit
    events.append({"type": "response.completed", "response": {"status": "completed", "output": output}})
    return b"".join(b"event: %b\ndata: %b\n\n" % (e["type"].encode(), wire.dumps(e)) for e in events)


@pytest.mark.parametrize("profile_name", ["openai", "azure", "copilot"])
def test_the_provider_gets_its_own_items_back(profile_name: str) -> None:
    profile = providers.profile_for(api_base="", model="gpt-5.5", name=profile_name)
    assert profile.api == "responses"
    provider = StrictProvider()
    messages: list[dict[str, Any]] = [{"role": "user", "content": "begin"}]
    provider.expected.append({"role": "user", "content": "begin"})
    sent_before = b""
    for turn in range(TURNS):
        request = {
            "model": "claude-x",
            "max_tokens": 100,
            "thinking": {"type": "adaptive"},
            "tools": [TOOL],
            "messages": json.loads(json.dumps(messages)),
        }
        converted = convert_request(request, profile=profile, model="gpt-5.5", message_id=f"msg_{turn}")
        sent = wire.dumps(converted.body["input"])
        assert sent.startswith(sent_before[:-1])
        sent_before = sent
        output = provider.answer(turn, converted.body)
        if turn % 2:
            fold = StreamFold(profile, converted.reply, converted.report)
            fold.feed(as_stream(output))
            message, _ = fold.close()
        else:
            whole = {"object": "response", "status": "completed", "output": output}
            message, _ = message_from_answer(whole, profile, converted.reply, converted.report)
        provider.remember(output)
        results = [
            {"type": "tool_result", "tool_use_id": block["id"], "content": f"result {block['input']['n']}"}
            for block in message["content"]
            if block["type"] == "tool_use"
        ]
        for item in output:
            if item["type"] == "function_call":
                said = f"result {json.loads(item['arguments'])['n']}"
                answer = {"type": "function_call_output", "call_id": item["call_id"], "output": said}
                provider.expected.append(answer)
        random.Random(turn).shuffle(results)  # they come in the order in which the tools finished
        messages += [
            {"role": "assistant", "content": message["content"]},
            {"role": "user", "content": results},
        ]
    assert len([item for item in provider.expected if item.get("type") == "reasoning"]) > TURNS


def test_another_providers_items_stay_away() -> None:
    """The same conversation, moved to another provider: its calls go along, its encrypted state does not."""
    openai = providers.profile_for(api_base="", model="gpt-5.5", name="openai")
    provider = StrictProvider()
    output = [provider.reasoning("1", spoken=True), provider.call(1, 0)]
    whole = {"object": "response", "status": "completed", "output": output}
    request: dict[str, Any] = {
        "model": "claude-x",
        "max_tokens": 100,
        "thinking": {"type": "adaptive"},
        "messages": [{"role": "user", "content": "begin"}],
    }
    converted = convert_request(request, profile=openai, model="gpt-5.5", message_id="msg_1")
    message, _ = message_from_answer(whole, openai, converted.reply, converted.report)
    result = {"type": "tool_result", "tool_use_id": "call_1_0", "content": "ok"}
    request["messages"] += [
        {"role": "assistant", "content": message["content"]},
        {"role": "user", "content": [result]},
    ]
    azure = providers.profile_for(api_base="", model="gpt-5.5", name="azure")
    moved = convert_request(request, profile=azure, model="gpt-5.5", message_id="msg_2").body
    assert [item.get("type") for item in moved["input"]] == [None, "function_call", "function_call_output"]
    deepseek = providers.profile_for(api_base="", model="deepseek-v4-pro", name="deepseek")
    chat = convert_request(request, profile=deepseek, model="deepseek-v4-pro", message_id="msg_3").body
    assert chat["messages"][1]["reasoning_content"] == "thought 1 é"
    assert "gAAAA" not in json.dumps(chat)
