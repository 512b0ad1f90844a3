"""The demo provider's Responses endpoint: to the official client, and behind the proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import pytest

from claude_code_proxy.core.answer.message import fold
from claude_code_proxy.core.report import Report
from claude_code_proxy.demo.provider import Provider
from claude_code_proxy.demo.responses import to_chat
from claude_code_proxy.demo.strictness import Refusal
from tests.replies import json_reply
from tests.server.harness import ask, model, running_proxy
from tests.serving import running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BASH: Any = {"type": "function", "name": "Bash", "parameters": {"type": "object"}, "strict": False}
PNG = "data:image/png;base64,iVBORw0KGgo="


@pytest.fixture
def app() -> Provider:
    return Provider()


@pytest.fixture
async def url(app: Provider) -> AsyncIterator[str]:
    async with running(app) as base_url:
        yield base_url


@pytest.fixture
async def client(url: str) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0) as connected:
        yield connected


async def test_text(client: openai.AsyncOpenAI) -> None:
    answer = await client.responses.create(model="demo", input="say hello you", store=False)
    assert answer.output_text == "hello you"
    assert answer.status == "completed"
    assert answer.usage
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens


async def test_stream_agrees_with_the_whole_answer(client: openai.AsyncOpenAI) -> None:
    request: dict[str, Any] = {
        "model": "demo-reason",
        "instructions": "Be brief.",
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "run `ls`"}]}],
        "tools": [BASH],
        "reasoning": {"summary": "auto"},
    }
    async with client.responses.stream(store=False, **request) as stream:
        deltas = {"reasoning": "", "text": "", "arguments": ""}
        async for event in stream:
            match event.type:
                case "response.reasoning_summary_text.delta":
                    deltas["reasoning"] += event.delta
                case "response.output_text.delta":
                    deltas["text"] += event.delta
                case "response.function_call_arguments.delta":
                    deltas["arguments"] += event.delta
                case _:
                    pass
        final = await stream.get_final_response()
    reasoning, message, call = final.output
    assert reasoning.type == "reasoning"
    assert message.type == "message"
    assert call.type == "function_call"
    assert deltas["reasoning"] == reasoning.summary[0].text
    assert deltas["text"] == final.output_text
    assert deltas["arguments"] == call.arguments
    whole = await client.responses.create(store=False, **request)
    assert [item.type for item in whole.output] == ["reasoning", "message", "function_call"]


async def test_the_limit_cuts(client: openai.AsyncOpenAI) -> None:
    answer = await client.responses.create(
        model="demo", input="count to 99", store=False, max_output_tokens=16
    )
    assert answer.status == "incomplete"
    assert answer.incomplete_details
    assert answer.incomplete_details.reason == "max_output_tokens"


async def test_script_and_key(client: openai.AsyncOpenAI, app: Provider, url: str) -> None:
    app.script.add(json_reply(200, {"object": "response", "status": "completed", "output": []}))
    answer = await client.responses.create(model="demo", input="hi", store=False)
    assert answer.output_text == ""
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="bad", max_retries=0) as other:
        with pytest.raises(openai.AuthenticationError):
            await other.responses.create(model="demo", input="hi", store=False)


REFUSED: list[tuple[str, Any, str]] = [
    ("no object", [], "must be a JSON object"),
    ("a field of the other format", {"messages": []}, "Unknown parameter: 'messages'"),
    ("stored", {"input": "hi", "store": True}, "'store'"),
    ("small limit", {"max_output_tokens": 5}, "at least 16"),
    ("no input", {"input": None}, "'input' must be"),
    ("no item", {"input": [7]}, "unknown"),
    ("unknown item", {"input": [{"type": "item_reference"}]}, "item_reference"),
    ("unknown part", {"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, "input_text"),
    ("hosted tool", {"tools": [{"type": "web_search"}]}, "no hosted tools"),
    ("strict left out", {"tools": [{"type": "function", "name": "a"}]}, "strict"),
    (
        "foreign reasoning",
        {"input": [{"type": "reasoning", "encrypted_content": "gAAA"}]},
        "could not be verified",
    ),
    (
        "reasoning alone",
        {"input": [{"type": "reasoning", "encrypted_content": "demo.YQ=="}]},
        "without its required",
    ),
    (
        "reasoning before a user",
        {
            "input": [
                {"type": "reasoning", "encrypted_content": "demo.YQ=="},
                {"role": "user", "content": "x"},
            ]
        },
        "without its required",
    ),
]


@pytest.mark.parametrize(("name", "body", "says"), REFUSED, ids=[case[0] for case in REFUSED])
def test_refusals(name: str, body: Any, says: str) -> None:
    whole = {"model": "demo", "input": "hi", "store": False, **body} if isinstance(body, dict) else body
    with pytest.raises(Refusal, match=says):
        to_chat(whole)


def test_reads_every_field() -> None:
    chat = to_chat(
        {
            "model": "demo",
            "store": False,
            "input": [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_image", "image_url": PNG},
                        {"type": "input_file", "file_data": "x"},
                    ],
                },
                {"type": "reasoning", "encrypted_content": "demo.YQ=="},
                {"role": "assistant", "content": "a"},
                {"type": "reasoning", "encrypted_content": "demo.Yg=="},
                {"type": "function_call", "call_id": "c", "name": "Bash", "arguments": "{}"},
                {
                    "type": "function_call_output",
                    "call_id": "c",
                    "output": [
                        {"type": "input_text", "text": "t"},
                        {"type": "input_image", "image_url": PNG},
                    ],
                },
            ],
            "tools": [BASH],
            "tool_choice": {"type": "function", "name": "Bash"},
            "reasoning": {"effort": "low"},
            "text": {"format": {"type": "json_schema", "schema": {}}},
        }
    )
    user, assistant, tool = chat["messages"]
    assert [part["type"] for part in user["content"]] == ["image_url", "file"]
    assert (assistant["content"], assistant["reasoning_content"]) == ("a", "ab")
    assert assistant["tool_calls"][0]["id"] == tool["tool_call_id"] == "c"
    assert tool["content"] == "t\n[image: data:image/png;base64,]"
    assert chat["tool_choice"]["function"]["name"] == "Bash"
    assert (chat["reasoning_effort"], chat["response_format"]["json_schema"]["schema"]) == ("low", {})


@pytest.mark.parametrize("streamed", [True, False])
async def test_behind_the_proxy(url: str, app: Provider, streamed: bool) -> None:
    """A model that wants its reasoning back on every call gets it, turn after turn."""
    entry = model(
        f"{url}/v1", model_name="demo-strict-reason", api="responses", thinking_switch="reasoning_effort"
    )
    request: dict[str, Any] = {
        "model": "m",
        "max_tokens": 200,
        "stream": streamed,
        "thinking": {"type": "adaptive"},
        "tools": [{"name": "Bash", "input_schema": {"type": "object"}}],
        "messages": [],
    }
    async with running_proxy([entry]) as proxy:
        for turn in range(3):
            request["messages"].append({"role": "user", "content": f"run `echo {turn}`"})
            reply = await ask(proxy, request)
            assert reply.status == 200, reply.body
            content = folded(reply.events) if streamed else reply.json["content"]
            assert [block["type"] for block in content] == ["thinking", "text", "tool_use"]
            result = {"type": "tool_result", "tool_use_id": content[2]["id"], "content": f"output {turn}"}
            request["messages"] += [
                {"role": "assistant", "content": content},
                {"role": "user", "content": [result]},
            ]
            reply = await ask(proxy, request)
            assert reply.status == 200, reply.body
            content = folded(reply.events) if streamed else reply.json["content"]
            assert f"output {turn}" in content[1]["text"]
            request["messages"].append({"role": "assistant", "content": content})
    assert {recorded.path for recorded in app.requests} == {"/v1/responses"}


def folded(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The blocks of a stream."""
    content: list[dict[str, Any]] = fold(events, Report())["content"]
    return content
