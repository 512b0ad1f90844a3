"""Checks a Chat Completions body against the openai SDK's own types and the rules of message order."""

from __future__ import annotations

import importlib
import json
import pkgutil
from functools import cache
from typing import TYPE_CHECKING, Any

import openai.types
from openai.types.chat import completion_create_params
from pydantic import TypeAdapter

if TYPE_CHECKING:
    from collections.abc import Iterable

BODY_EXTENSIONS = frozenset(
    {"thinking", "enable_thinking", "thinking_budget", "chat_template_kwargs", "reasoning", "top_k"}
)
"""Fields that providers added to the body."""
MESSAGE_EXTENSIONS = frozenset({"reasoning_content", "reasoning", "reasoning_details", "prefix", "partial"})
"""Fields that providers added to messages."""


def validate(body: dict[str, Any], *, extra: Iterable[str] = ()) -> None:
    """Raise AssertionError or pydantic's ValidationError where an OpenAI server would refuse `body`.

    `extra` names further body fields that are known to be outside the SDK's types, or is "tool images".
    """
    body = json.loads(json.dumps(body))
    known = set(completion_create_params.CompletionCreateParamsBase.__annotations__) | {"stream"}
    allowed = BODY_EXTENSIONS | set(extra)
    assert set(body) <= known | allowed, f"unknown fields: {set(body) - known - allowed}"
    check_order(body["messages"])
    for tool in body.get("tools", []):
        assert 1 <= len(tool["function"]["name"]) <= 64
        assert tool["function"]["parameters"]["type"] == "object"
    if "tool images" in allowed:
        body["messages"] = [message for message in body["messages"] if message["role"] != "tool"]
    for field in allowed:
        body.pop(field, None)
    for message in body["messages"]:
        for field in MESSAGE_EXTENSIONS:
            message.pop(field, None)
    _consume(_adapter(streaming=bool(body.get("stream"))).validate_python(body))


def check_order(messages: list[dict[str, Any]]) -> None:
    """Every call is answered once, directly after the message that made it."""
    waiting: list[str] = []
    for message in messages:
        match message["role"]:
            case "tool":
                assert message["tool_call_id"] in waiting, message
                waiting.remove(message["tool_call_id"])
            case role:
                assert not waiting, f"unanswered before {role}: {waiting}"
                if role == "assistant":
                    waiting = [call["id"] for call in message.get("tool_calls") or []]
                    assert len(set(waiting)) == len(waiting), waiting
    assert not waiting, waiting


@cache
def _adapter(*, streaming: bool) -> TypeAdapter[Any]:
    # The SDK annotates lists as iterables, which pydantic would check lazily.
    for module_info in pkgutil.walk_packages(openai.types.__path__, "openai.types."):
        module: Any = importlib.import_module(module_info.name)
        for name in ("SequenceNotStr", "Iterable"):
            if hasattr(module, name):
                setattr(module, name, list)
    return TypeAdapter(
        completion_create_params.CompletionCreateParamsStreaming
        if streaming
        else completion_create_params.CompletionCreateParamsNonStreaming
    )


def _consume(value: Any) -> None:
    """Walk through `value`, so that what pydantic validates lazily is validated."""
    if isinstance(value, dict):
        for item in value.values():
            _consume(item)
    elif hasattr(value, "__iter__") and not isinstance(value, str | bytes):
        for item in value:
            _consume(item)
