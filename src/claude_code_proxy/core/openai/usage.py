"""Token counts as OpenAI-compatible providers report them, in the Messages API's disjoint numbers."""

from __future__ import annotations

from collections.abc import KeysView, Mapping
from typing import Any

from claude_code_proxy.core.deltas import Usage

# In the order in which they count; as keys, since most of them are not there.
_CACHED = dict.fromkeys(
    ("cached_tokens", "cache_read_input_tokens", "cache_read_tokens", "prompt_cache_hit_tokens")
).keys()
_WRITTEN = dict.fromkeys(
    ("cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens")
).keys()
_MOST = 1 << 53
_ANTHROPIC = frozenset(("cache_read_input_tokens", "cache_creation_input_tokens"))
_THINKING = dict.fromkeys(("reasoning_tokens", "thinking_tokens")).keys()
_PROMPT = dict.fromkeys(("prompt_tokens", "input_tokens")).keys()
_COMPLETION = dict.fromkeys(("completion_tokens", "output_tokens")).keys()


def read_usage(usage: Any, *, written_outside_prompt: bool = False) -> Usage | None:
    """The counts of one `usage` object; None when it holds none.

    Reads the names of Chat Completions, of Responses and of Anthropic. Anthropic's `input_tokens` leaves out
    what was cached, `prompt_tokens` and Responses' `input_tokens` include it. What `total_tokens` holds
    beyond the parts is what one of them leaves out: what was cached, or else reasoning (xAI; Gemini, which
    does not name it). `written_outside_prompt`: `prompt_tokens` leaves out what was written to the cache.
    """
    if not isinstance(usage, dict):
        return None
    prompt_details = _object(usage.get("prompt_tokens_details") or usage.get("input_tokens_details"))
    output_details = _object(usage.get("completion_tokens_details") or usage.get("output_tokens_details"))
    cached = _first(prompt_details, _CACHED) or _first(usage, _CACHED)
    written = _written(prompt_details) or _written(usage)
    thinking = _first(output_details, _THINKING) or _first(usage, _THINKING)
    missed = _count(usage.get("prompt_cache_miss_tokens"))  # DeepSeek
    prompt = _first(usage, _PROMPT) or (missed and missed + cached)
    completion = _first(usage, _COMPLETION)
    total = _count(usage.get("total_tokens"))

    apart, left_out = cached + written, total - prompt - completion
    anthropic = not usage.keys().isdisjoint(_ANTHROPIC) and not prompt_details
    if left_out == apart or (anthropic and (apart > prompt or not usage.get("prompt_tokens"))):
        prompt += apart
    elif written_outside_prompt or left_out == written:
        prompt += written
    left_out = total - prompt - completion
    if left_out > 0 and prompt:
        thinking = thinking or (left_out if completion else 0)
        completion += left_out
    elif left_out > 0:
        prompt = left_out
    if not (prompt or completion):
        return None
    cached = min(cached, prompt)
    written = min(written, prompt - cached)
    return Usage(
        input_tokens=prompt - cached - written,
        output_tokens=completion,
        cache_read_input_tokens=cached,
        cache_creation_input_tokens=written,
        thinking_tokens=thinking if 0 < thinking <= completion else None,
    )


def _written(counts: Mapping[str, Any]) -> int:
    """What was written to the cache: one number, or one for each time to live (DashScope)."""
    by_time = counts.get("cache_creation")
    return _first(counts, _WRITTEN) or (sum(map(_count, _object(by_time).values())) if by_time else 0)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int:
    """A count; providers send floats, nulls and negative numbers."""
    if value.__class__ is int:
        return value if 0 <= value < _MOST else 0
    return int(value) if isinstance(value, float) and 0 <= value < _MOST else 0


def _first(counts: Mapping[str, Any], names: KeysView[str]) -> int:
    if names.isdisjoint(counts):
        return 0
    for name in names:
        if name in counts and (count := _count(counts[name])):
            return count
    return 0
