"""Every request case of tests/cases/responses: a Messages request, profile keys, the exact upstream body."""

from __future__ import annotations

import importlib
import json
import pkgutil
from functools import cache
from typing import TYPE_CHECKING, Any

import openai.types
import pytest
from openai.types.responses import response_create_params
from pydantic import TypeAdapter

from claude_code_proxy.core import providers, wire
from claude_code_proxy.core.convert_request import convert_request, limit_field
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.tokens.estimate import estimate
from tests import paths
from tests.core.cases import told
from tests.core.openai.sdk_types import _consume
from tests.core.test_convert_request_cases import comparable, convert, load

if TYPE_CHECKING:
    from pathlib import Path

CASES = sorted((paths.CASES / "responses").glob("request_*.json"))
KNOWN = set(response_create_params.ResponseCreateParamsBase.__annotations__) | {"stream"}
EXTENSIONS = {"thinking"}
"""Fields that providers added to the body."""


@cache
def adapter(*, streaming: bool) -> TypeAdapter[Any]:
    # The SDK annotates lists as iterables, which pydantic would check lazily.
    for module_info in pkgutil.walk_packages(openai.types.__path__, "openai.types."):
        module: Any = importlib.import_module(module_info.name)
        for name in ("SequenceNotStr", "Iterable"):
            if hasattr(module, name):
                setattr(module, name, list)
    return TypeAdapter(
        response_create_params.ResponseCreateParamsStreaming
        if streaming
        else response_create_params.ResponseCreateParamsNonStreaming
    )


def validate(body: dict[str, Any]) -> None:
    """Raise where an OpenAI server would refuse `body`: by the SDK's types, and by the order of items."""
    body = json.loads(json.dumps(body))
    assert set(body) <= KNOWN | EXTENSIONS
    for field in EXTENSIONS:
        body.pop(field, None)
    check_order(body["input"])
    assert all(
        tool["strict"] in (True, False) for tool in body.get("tools", ()) if tool["type"] == "function"
    )
    _consume(adapter(streaming=bool(body.get("stream"))).validate_python(body))


def check_order(items: list[dict[str, Any]]) -> None:
    """Every call is answered once, before the next speaker; reasoning stands before what the model did."""
    waiting: list[str] = []
    for item, following in zip(items, [*items[1:], {}], strict=True):
        match item.get("type"):
            case "reasoning":
                by_model = following.get("type") in ("reasoning", "function_call")
                assert by_model or following.get("role") == "assistant", "a reasoning item stands alone"
            case "function_call":
                assert item["call_id"] not in waiting
                waiting.append(item["call_id"])
            case "function_call_output":
                assert item["call_id"] in waiting
                waiting.remove(item["call_id"])
            case _:
                assert not waiting or item["role"] == "assistant", f"unanswered: {waiting}"
    assert not waiting, waiting


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path) -> None:
    case = load(path)
    if "expected_error" in case:
        with pytest.raises(ApiError) as caught:
            convert(case)
        assert (caught.value.status, caught.value.type) == (400, "invalid_request_error")
        assert case["expected_error"] in caught.value.message
        return
    converted = convert(case)
    assert comparable(converted.body) == comparable(case["expected_openai_request"])
    assert told(converted.report) == case["expected_notices"]
    if case["model_config"].get("cache_control") != "passthrough":
        validate(converted.body)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_longer_conversation_keeps_the_bytes_of_a_shorter_one(path: Path) -> None:
    """Provider prompt caches hit only if what was sent before stands first."""
    case = load(path)
    messages = case["anthropic_request"]["messages"]
    if "expected_error" in case or messages[-1]["role"] == "assistant":
        return
    if case["model_config"].get("reasoning_scope") or case["model_config"].get("cache_control"):
        return  # these look at the end of the conversation on purpose
    before = wire.dumps(convert(case).body["input"])
    longer = [*messages, {"role": "assistant", "content": "more"}, {"role": "user", "content": "and more"}]
    after = wire.dumps(
        convert({**case, "anthropic_request": {**case["anthropic_request"], "messages": longer}}).body[
            "input"
        ]
    )
    assert after.startswith(before[:-1])


@pytest.mark.parametrize(
    ("profile", "field"),
    [
        (Profile(), "max_tokens"),
        (Profile(api="responses"), "max_output_tokens"),
        (Profile(api="responses", max_tokens_field="max_completion_tokens"), "max_output_tokens"),
        (Profile(api="responses", max_tokens_field="omit"), "omit"),
    ],
)
def test_the_name_of_the_limit(profile: Profile, field: str) -> None:
    assert limit_field(profile) == field


def test_what_the_answer_must_know() -> None:
    request = {
        "model": "claude-x",
        "max_tokens": 3,
        "stop_sequences": ["END"],
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "web_search_20250305", "name": "search"}],
    }
    profile = Profile(api="responses", web_search=True)
    reply = convert_request(request, profile=profile, model="up", message_id="msg_1").reply
    assert (reply.web_search, reply.max_tokens) == ("search", 16)
    assert reply.local_stop_sequences == ("END",)
    on_chat = convert_request(request, profile=Profile(web_search=True), model="up", message_id="msg_1")
    assert on_chat.reply.web_search == ""
    assert "tools" not in on_chat.body


PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def test_counts_tokens_as_for_chat_completions() -> None:
    words = "The quick brown fox jumps over the lazy dog. " * 40
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    pdf = {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQK"},
    }
    request = {
        "model": "claude-x",
        "max_tokens": 100,
        "system": words,
        "output_config": {
            "format": {"type": "json_schema", "schema": {"type": "object", "description": words}}
        },
        "tools": [{"name": "Read", "description": words, "input_schema": {"type": "object"}}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": words}, image, pdf]},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "call_1", "name": "Read", "input": {"a": words}}],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": words}]},
        ],
    }
    counts = [
        estimate(
            convert_request(
                request, profile=Profile(api=api, pdf="file_part"), model="up", message_id="m"
            ).body
        )
        for api in ("chat", "responses")
    ]
    assert counts[1] == pytest.approx(counts[0], rel=0.02)
    assert counts[0] > 4000


def test_encrypted_reasoning_is_not_counted_as_text() -> None:
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "A" * 100_000}
    assert estimate({"input": [item]}) < 20


def test_no_summary_where_it_was_refused() -> None:
    request = {
        "model": "claude-x",
        "max_tokens": 100,
        "thinking": {"type": "adaptive"},
        "messages": [{"role": "user", "content": "hi"}],
    }
    profile = Profile(api="responses", thinking_switch="reasoning_effort", drop_params=("reasoning.summary",))
    body = convert_request(request, profile=profile, model="up", message_id="m").body
    assert "reasoning" not in body


FIXTURES = sorted(paths.FIXTURES.glob("*.json"))


@pytest.mark.parametrize("model", ["gpt-5.5", "gpt-6.2-sol", "gpt-5.3-codex"])
@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_what_claude_code_sends_is_a_valid_request(path: Path, model: str) -> None:
    request: dict[str, Any] = json.loads(path.read_text())["body"]
    request.setdefault("max_tokens", 1)  # a count_tokens request has none
    profile = providers.profile_for(api_base="https://api.openai.com/v1", model=model)
    converted = convert_request(request, profile=profile, model=model, message_id="msg_1")
    validate(converted.body)
    text = wire.dumps_text(converted.body)
    assert "x-anthropic-billing-header" not in text
    assert "cache_control" not in text
    sent = {tool.get("name", tool["type"]) for tool in converted.body.get("tools", [])}
    assert "DeferredToolPlaceholder" not in sent
    searches = any(str(tool.get("type")).startswith("web_search") for tool in request.get("tools", []))
    assert ("web_search" in sent) is searches
