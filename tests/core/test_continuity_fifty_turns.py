"""Fifty turns over five providers, each turn in a process of its own, replayed as Claude Code replays it.

What each provider wants back comes back although nothing is stored anywhere: the conversation itself carries
it. The client here follows what the real one was seen to do: it sends thinking blocks only to the model that
made them, byte for byte, and keeps tool ids whoever made them.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

from claude_code_proxy.core import providers, wire
from claude_code_proxy.core.convert_answer import StreamFold, message_from_answer
from claude_code_proxy.core.convert_request import convert_request

TURNS = 50
TOOL = {"name": "Read", "input_schema": {"type": "object", "properties": {"n": {"type": "integer"}}}}


@dataclass
class Provider:
    """An upstream that remembers what it sent, and refuses a request that does not give it back."""

    profile: str
    model: str
    state: str = ""
    """The message field with its reasoning state."""
    same_ids: bool = False
    """It numbers its calls per turn, so that ids repeat."""
    sent: dict[int, dict[str, Any]] = field(default_factory=dict)

    def answer(self, turn: int, body: dict[str, Any]) -> dict[str, Any]:
        self.check(body)
        calls = []
        for at in range(2):
            call_id = f"functions.Read:{at}" if self.same_ids else f"call_{self.profile}_{turn}_{at}"
            function = {"name": "Read", "arguments": json.dumps({"n": turn * 10 + at})}
            call: dict[str, Any] = {"id": call_id, "type": "function", "function": function}
            if self.profile == "gemini" and at == 0:
                call["extra_content"] = {"google": {"thought_signature": f"sig+/={turn}"}}
            calls.append(call)
        message: dict[str, Any] = {"role": "assistant", "content": f"turn {turn}", "tool_calls": calls}
        if self.state == "reasoning_content":
            message["reasoning_content"] = f"because {turn} é"
        elif self.state == "reasoning_details":
            details = {
                "type": "reasoning.encrypted",
                "data": f"E{turn}==",
                "id": f"rs_{turn}",
                "format": "f",
                "index": 0,
            }
            message["reasoning"] = f"because {turn}"
            message["reasoning_details"] = [
                {
                    "type": "reasoning.text",
                    "text": f"because {turn}",
                    "format": "f",
                    "index": 0,
                    "signature": f"S{turn}",
                },
                details,
            ]
        self.sent[turn] = message
        return message

    def check(self, body: dict[str, Any]) -> None:
        mine = dict(self.sent)
        for message in body["messages"]:
            calls = message.get("tool_calls")
            if not calls:
                continue
            turn = json.loads(calls[0]["function"]["arguments"])["n"] // 10
            if (original := mine.pop(turn, None)) is None:
                assert "reasoning_details" not in message
                assert "sig+/=" not in json.dumps(calls)
                continue
            assert [call["id"] for call in calls] == [call["id"] for call in original["tool_calls"]]
            assert [c.get("extra_content") for c in calls] == [
                c.get("extra_content") for c in original["tool_calls"]
            ]
            if self.state:
                assert message[self.state] == original[self.state]
        assert not mine, "a turn of this provider is missing"


PROVIDERS = [
    Provider("deepseek", "deepseek-v4-pro", "reasoning_content"),
    Provider("kimi", "kimi-k2.6", "reasoning_content", same_ids=True),
    Provider("openrouter", "anthropic/claude-sonnet-4.5", "reasoning_details"),
    Provider("gemini", "gemini-3-pro", ""),
    Provider("groq", "openai/gpt-oss-120b", "", same_ids=True),
]


@dataclass
class Client:
    """Keeps the conversation as Claude Code does."""

    history: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Each message with the model that was in use."""

    def request(self, model: str) -> dict[str, Any]:
        messages = [self._replayed(message, made_by, model) for made_by, message in self.history]
        return {
            "model": model,
            "max_tokens": 100,
            "thinking": {"type": "adaptive"},
            "tools": [TOOL],
            "messages": messages,
        }

    @staticmethod
    def _replayed(message: dict[str, Any], made_by: str, model: str) -> dict[str, Any]:
        if made_by == model:
            return message
        thinking = ("thinking", "redacted_thinking")
        return {**message, "content": [b for b in message["content"] if b["type"] not in thinking]}

    def take(self, model: str, turn: int, message: dict[str, Any]) -> None:
        self.history.append((model, {"role": "assistant", "content": message["content"]}))
        results = [
            {"type": "tool_result", "tool_use_id": block["id"], "content": f"result {block['input']['n']}"}
            for block in message["content"]
            if block["type"] == "tool_use"
        ]
        random.Random(turn).shuffle(results)  # they come in the order in which the tools finished
        self.history.append((model, {"role": "user", "content": results}))


def serve(job: dict[str, Any]) -> Any:
    """What one proxy process does in one turn: convert the request, then the answer."""
    profile = providers.profile_named(job["profile"])
    converted = convert_request(
        job["request"], profile=profile, model=job["model"], message_id=f"msg_{job['turn']}"
    )
    if "answer" not in job:
        return converted.body
    if isinstance(job["answer"], str):
        fold = StreamFold(profile, converted.reply, converted.report)
        fold.feed(job["answer"].encode())
        return fold.close()[0]
    return message_from_answer(job["answer"], profile, converted.reply, converted.report)[0]


def in_a_new_process(job: dict[str, Any]) -> Any:
    program = "import sys, json; from tests.core.test_continuity_fifty_turns import serve; print(json.dumps(serve(json.load(sys.stdin))))"
    done = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(job), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def as_stream(message: dict[str, Any]) -> str:
    """The message in pieces: reasoning, text, then each call."""
    deltas: list[dict[str, Any]] = [
        {key: message[key]} for key in ("reasoning_content", "reasoning") if key in message
    ]
    deltas += [{"reasoning_details": [item]} for item in message.get("reasoning_details", ())]
    deltas.append({"content": message["content"]})
    deltas += [{"tool_calls": [{**call, "index": at}]} for at, call in enumerate(message["tool_calls"])]
    choices: list[dict[str, Any]] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": "tool_calls"})
    return (
        "".join(f"data: {json.dumps({'choices': [choice]})}\n\n" for choice in choices) + "data: [DONE]\n\n"
    )


def test_every_provider_gets_back_what_it_needs() -> None:
    client = Client([("", {"role": "user", "content": [{"type": "text", "text": "begin"}]})])
    pick = random.Random(7)
    last_bodies: dict[str, bytes] = {}
    provider = PROVIDERS[0]
    for turn in range(TURNS):
        if pick.random() < 0.4:  # /model
            provider = pick.choice(PROVIDERS)
        model = f"claude-{provider.profile}"
        job: dict[str, Any] = {
            "profile": provider.profile,
            "model": provider.model,
            "turn": turn,
            "request": client.request(model),
        }
        body = in_a_new_process(job) if turn % 5 == 0 else serve(job)
        messages = wire.dumps(body["messages"])
        if provider.profile in last_bodies:  # prompt caches: what was sent before stands first
            assert messages.startswith(last_bodies[provider.profile][:-1])
        last_bodies[provider.profile] = messages
        sent = provider.answer(turn, body)
        whole: Any = {"choices": [{"index": 0, "message": sent, "finish_reason": "tool_calls"}]}
        answer = in_a_new_process({**job, "answer": as_stream(sent) if turn % 2 else whole})
        client.take(model, turn, answer)
    ids = [
        block["id"]
        for _, message in client.history
        for block in message["content"]
        if block["type"] == "tool_use"
    ]
    assert len(ids) == len(set(ids)) == 2 * TURNS
    assert {provider.profile for provider in PROVIDERS if provider.sent} == {p.profile for p in PROVIDERS}
