"""Why an answer ended: the words of Chat Completions providers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from claude_code_proxy.core.errors.api import ApiError

if TYPE_CHECKING:
    from claude_code_proxy.core.deltas import StopReason

STOP_REASONS: dict[str, StopReason] = {
    "stop": "end_turn",
    "eos": "end_turn",
    "eos_token": "end_turn",
    "end_turn": "end_turn",
    "stop_sequence": "end_turn",
    "tool_calls": "tool_use",
    "tool_use": "tool_use",
    "function_call": "tool_use",
    "length": "max_tokens",
    "max_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "model_context_window_exceeded": "model_context_window_exceeded",
    "model_length": "model_context_window_exceeded",
    "content_filter": "refusal",
    "sensitive": "refusal",
    "safety": "refusal",
    "recitation": "refusal",
    "prohibited_content": "refusal",
    "refusal": "refusal",
}
"""The finish reasons that providers send, in lower case, and what they say in Anthropic's words."""
FAILURES = frozenset(("insufficient_system_resource", "network_error", "error", "abort", "aborted"))
"""Finish reasons of an answer that failed."""


def stop_sequence(choice: dict[str, Any]) -> str | None:
    """The matched stop sequence where the server names it (vLLM, SGLang, llama.cpp)."""
    for field in ("stop_reason", "matched_stop", "stopping_word"):
        value = choice.get(field)
        if isinstance(value, str) and value and value not in STOP_REASONS:
            return value
    return None


def failure(word: str) -> ApiError:
    """The error for one of `FAILURES`, where the provider says no more than that word."""
    message = f"the upstream ended the response with finish_reason {word!r}"
    if word.lower() == "insufficient_system_resource":
        return ApiError(529, "overloaded_error", message, retryable=True)
    return ApiError(500, "api_error", message)
