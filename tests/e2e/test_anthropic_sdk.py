"""The official Python SDK against the proxy and the demo provider."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import anthropic
import pytest

from tests.e2e.sdk import KEY, Setup, ask, text_of

if TYPE_CHECKING:
    from claude_code_proxy.demo.provider import Provider

SHELL: Any = {
    "name": "shell",
    "description": "Run a command.",
    "input_schema": {
        "type": "object",
        "properties": {"command": {"type": "string"}},
        "required": ["command"],
    },
}
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def test_create(client: anthropic.Anthropic, provider: Provider) -> None:
    message = client.messages.create(**ask("say hello there", system="Be brief."))
    assert text_of(message) == "hello there"
    assert (message.role, message.type, message.model) == ("assistant", "message", "demo")
    assert message.stop_reason == "end_turn"
    assert message.id.startswith("msg_")
    assert message.usage.input_tokens > 0
    assert message.usage.output_tokens == 2
    assert message._request_id
    assert provider.requests[-1].headers["authorization"] == f"Bearer {KEY}"


def test_api_key_header(setup: Setup, provider: Provider) -> None:
    with anthropic.Anthropic(base_url=setup.url + "/anthropic", api_key=KEY, auth_token=None) as client:
        assert text_of(client.messages.create(**ask("say hi"))) == "hi"
    assert provider.requests[-1].headers["authorization"] == f"Bearer {KEY}"
    assert "x-api-key" not in provider.requests[-1].headers


@pytest.mark.parametrize(
    "request_",
    [
        ask("count to 300"),
        ask("count to 300", max_tokens=7),
        ask("count to 300", stop_sequences=["12"]),
        ask("run: echo a and also run echo b", tools=[SHELL]),
        ask(
            "say it",
            "demo-strict-reason",
            thinking={"type": "enabled", "budget_tokens": 1024},
            max_tokens=2000,
        ),
    ],
    ids=["text", "max_tokens", "stop_sequence", "tools", "thinking"],
)
def test_a_stream_accumulates_to_what_create_returns(
    client: anthropic.Anthropic, request_: dict[str, Any]
) -> None:
    whole = client.messages.create(**request_)
    with client.messages.stream(**request_) as stream:
        events = [event.type for event in stream]
        final = stream.get_final_message()
    assert events[0] == "message_start"
    assert events[-1] == "message_stop"
    for attribute in ("model", "role", "stop_reason", "stop_sequence"):
        assert getattr(final, attribute) == getattr(whole, attribute), attribute
    assert _comparable(final) == _comparable(whole)
    assert final.usage.output_tokens == whole.usage.output_tokens
    sent = [usage.input_tokens + (usage.cache_read_input_tokens or 0) for usage in (final.usage, whole.usage)]
    assert sent[0] == sent[1]


def _comparable(message: Any) -> list[dict[str, Any]]:
    """The content without the tool ids, which the provider makes up anew each time, and the SDK's own additions."""
    blocks = [block.model_dump(exclude_none=True) for block in message.content]
    return [
        {name: value for name, value in block.items() if name not in ("id", "parsed_output")}
        for block in blocks
    ]


def test_stop_sequence(client: anthropic.Anthropic) -> None:
    message = client.messages.create(**ask("count to 300", stop_sequences=["12"]))
    assert text_of(message).endswith("10 11 ")
    assert message.stop_reason in (
        "stop_sequence",
        "end_turn",
    )  # a provider does not say which of them it was


def test_text_stream_arrives_in_pieces(client: anthropic.Anthropic) -> None:
    with client.messages.stream(**ask("count to 50")) as stream:
        pieces = list(stream.text_stream)
    assert "".join(pieces).split() == [str(number) for number in range(1, 51)]
    assert len(pieces) > 10


def test_tools_over_two_turns(client: anthropic.Anthropic, provider: Provider) -> None:
    request = ask("run: uptime", tools=[SHELL], tool_choice={"type": "auto"})
    first = client.messages.create(**request)
    assert first.stop_reason == "tool_use"
    call = next(block for block in first.content if block.type == "tool_use")
    assert call.name == "shell"
    assert call.input["command"] == "uptime"
    result = {
        "type": "tool_result",
        "tool_use_id": call.id,
        "content": [{"type": "text", "text": "up 3 days"}],
    }
    request["messages"] += [
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": [result]},
    ]
    second = client.messages.create(**request)
    assert second.stop_reason == "end_turn"
    assert text_of(second) == "shell returned:\nup 3 days"
    tool = provider.requests[-1].body["messages"][-1]
    assert (tool["role"], tool["content"]) == ("tool", "up 3 days")


def test_parallel_tools(client: anthropic.Anthropic) -> None:
    request = ask("run: echo a and also run echo b", tools=[SHELL])
    with client.messages.stream(**request) as stream:
        first = stream.get_final_message()
    calls = [block for block in first.content if block.type == "tool_use"]
    assert [call.input for call in calls] == [
        {"command": "echo a", "description": "echo a"},
        {"command": "echo b", "description": "echo b"},
    ]
    assert calls[0].id != calls[1].id
    # in the order in which they ended, as Claude Code sends them, one failed
    results = [
        {"type": "tool_result", "tool_use_id": calls[1].id, "content": "b"},
        {"type": "tool_result", "tool_use_id": calls[0].id, "content": "broke", "is_error": True},
    ]
    request["messages"] += [
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": results},
    ]
    answer = text_of(client.messages.create(**request))
    assert "broke" in answer
    assert "shell returned:\nb" in answer


@pytest.mark.parametrize("name", ["shell", "any"])
def test_tool_choice(client: anthropic.Anthropic, name: str) -> None:
    choice: Any = {"type": "tool", "name": "shell"} if name == "shell" else {"type": "any"}
    message = client.messages.create(**ask("hello", tools=[SHELL], tool_choice=choice))
    assert [block.name for block in message.content if block.type == "tool_use"] == ["shell"]


def test_images(client: anthropic.Anthropic, provider: Provider) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PIXEL).decode()}
    web = {"type": "url", "url": "https://example.com/a.png"}
    content = [
        {"type": "image", "source": source},
        {"type": "image", "source": web},
        {"type": "text", "text": "say see"},
    ]
    message = client.messages.create(**ask("", messages=[{"role": "user", "content": content}]))
    assert f"I see an image (image/png, {len(PIXEL)} bytes)" in text_of(message)
    assert "I see an image (https://example.com/a.png)" in text_of(message)
    kinds = [part["type"] for part in provider.requests[-1].body["messages"][-1]["content"]]
    assert kinds == ["image_url", "image_url", "text"]


def test_thinking_returns_with_its_signature(client: anthropic.Anthropic, provider: Provider) -> None:
    """The demo's strict model refuses tool calls whose reasoning did not come back."""
    thinking = {"type": "enabled", "budget_tokens": 1024}
    request = ask("run: date", "demo-strict-reason", tools=[SHELL], thinking=thinking, max_tokens=3000)
    with client.messages.stream(**request) as stream:
        first = stream.get_final_message()
    thought = first.content[0]
    assert thought.type == "thinking"
    assert thought.thinking
    assert thought.signature
    call = next(block for block in first.content if block.type == "tool_use")
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "today"}
    request["messages"] += [
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": [result]},
    ]
    assert "today" in text_of(client.messages.create(**request))
    sent = provider.requests[-1].body["messages"][-2]
    assert sent["reasoning_content"] == thought.thinking


def test_beta_endpoint(client: anthropic.Anthropic, provider: Provider) -> None:
    context: Any = {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}
    betas: Any = ["context-management-2025-06-27", "interleaved-thinking-2025-05-14", "unheard-of-2031-01-01"]
    message = client.beta.messages.create(**ask("say beta"), betas=betas, context_management=context)
    assert text_of(message) == "beta"
    with client.beta.messages.stream(**ask("say beta again"), betas=betas) as stream:
        assert text_of(stream.get_final_message()) == "beta again"
    assert not [name for name in provider.requests[-1].headers if name.startswith("anthropic")]
    assert "context_management" not in provider.requests[-2].body


def test_count_tokens(client: anthropic.Anthropic, provider: Provider) -> None:
    few = client.messages.count_tokens(
        model="demo", messages=[{"role": "user", "content": "hi"}]
    ).input_tokens
    long = "all work and no play makes a dull boy " * 100
    many = client.messages.count_tokens(
        model="demo", messages=[{"role": "user", "content": long}], tools=[SHELL], system="Be brief."
    ).input_tokens
    assert 0 < few < 50
    assert 500 < many < 1500
    beta = client.beta.messages.count_tokens(model="demo", messages=[{"role": "user", "content": "hi"}])
    assert beta.input_tokens == few
    assert not provider.requests


def test_models(client: anthropic.Anthropic) -> None:
    pages = client.models.list(limit=3)
    assert len(pages.data) == 3
    assert pages.has_more
    ids = [model.id for model in pages]  # walks over all pages
    assert len(ids) == len(set(ids))
    assert {"demo", "demo-strict-reason", "demo-small-8k", "no-such-model"} <= set(ids)
    for model_id in ids:
        model = client.models.retrieve(model_id)
        assert model.id == model_id
        assert model.type == "model"
    # the aliases that Claude Code's discovery shows lead to the same models
    alias = next(i for i in ids if i.startswith(("claude", "anthropic")) and i.endswith("demo"))
    assert text_of(client.messages.create(**ask("say alias", alias))) == "alias"
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("nobody")


async def test_the_asynchronous_client(setup: Setup, provider: Provider) -> None:
    async with anthropic.AsyncAnthropic(base_url=setup.url, auth_token=KEY, api_key=None) as client:
        async with client.messages.stream(**ask("count to 20")) as stream:
            pieces = [piece async for piece in stream.text_stream]
        assert "".join(pieces).endswith("19 20")
        assert [model.id async for model in client.models.list(limit=1)]
