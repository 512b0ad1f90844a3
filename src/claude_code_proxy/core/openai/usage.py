"""Token counts as OpenAI-compatible providers report them, in the Messages API's disjoint numbers."""

from __future__ import annotations

from typing import Any

from claude_code_proxy.core.deltas import Usage


def read_usage(usage: Any, *, written_outside_prompt: bool = False) -> Usage | None:
    """The counts of one `usage` object; None when it holds none.

    `prompt_tokens` includes the cached ones; Anthropic's `input_tokens` does not. Where a provider counts
    reasoning apart from completion (xAI), `total_tokens` shows it, and it is added to the output.
    """
    if not isinstance(usage, dict):
        return None
    prompt, completion = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    prompt_details = _object(usage.get("prompt_tokens_details"))
    output_details = _object(usage.get("completion_tokens_details"))
    cached = _first(
        prompt_details.get("cached_tokens"), usage.get("prompt_cache_hit_tokens"), usage.get("cached_tokens")
    )
    written = _first(
        prompt_details.get("cache_write_tokens"),
        prompt_details.get("cache_creation_tokens"),
        usage.get("cache_creation_input_tokens"),
    )
    thinking = _count(output_details.get("reasoning_tokens"))
    if thinking and prompt + completion + thinking == _count(usage.get("total_tokens")):
        completion += thinking
    if not (prompt or completion):
        return None
    inside = cached if written_outside_prompt else cached + written
    return Usage(
        input_tokens=max(0, prompt - inside),
        output_tokens=completion,
        cache_read_input_tokens=cached,
        cache_creation_input_tokens=written,
        thinking_tokens=thinking if 0 < thinking <= completion else None,
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int:
    """A count; providers send floats, nulls and negative numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1 << 53:
        return 0
    return int(value)


def _first(*values: Any) -> int:
    return next((count for count in map(_count, values) if count), 0)
