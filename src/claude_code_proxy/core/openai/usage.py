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
_PROMPT_DETAILS = ("prompt_tokens_details", "input_tokens_details")
_OUTPUT_DETAILS = ("completion_tokens_details", "output_tokens_details")
_MISSED = "prompt_cache_miss_tokens"  # DeepSeek
_BY_TIME = "cache_creation"  # DashScope
_PARTS = frozenset((*_CACHED, *_WRITTEN, *_THINKING, *_PROMPT_DETAILS, *_OUTPUT_DETAILS, _MISSED, _BY_TIME))
"""What says more than the three usual numbers."""


def read_usage(usage: Any, *, written_outside_prompt: bool = False) -> Usage | None:
    """The counts of one `usage` object; None when it holds none.

    Reads the names of Chat Completions, of Responses and of Anthropic. Anthropic's `input_tokens` leaves out
    what was cached, `prompt_tokens` and Responses' `input_tokens` include it. What `total_tokens` holds
    beyond the parts is what one of them leaves out: what was cached, or else reasoning (xAI; Gemini, which
    does not name it). `written_outside_prompt`: `prompt_tokens` leaves out what was written to the cache.
    """
    if not isinstance(usage, dict):
        return None
    prompt = _count(usage.get("prompt_tokens")) or _count(usage.get("input_tokens"))
    completion = _count(usage.get("completion_tokens")) or _count(usage.get("output_tokens"))
    total = _count(usage.get("total_tokens"))
    cached = written = thinking = 0
    if not _PARTS.isdisjoint(usage):
        prompt_details, output_details = _details(usage, _PROMPT_DETAILS), _details(usage, _OUTPUT_DETAILS)
        cached = _first(prompt_details, _CACHED) or _first(usage, _CACHED)
        written = _written(prompt_details) or _written(usage)
        thinking = _first(output_details, _THINKING) or _first(usage, _THINKING)
        missed = _count(usage.get(_MISSED))
        prompt = prompt or (missed and missed + cached)
        apart, left_out = cached + written, total - prompt - completion
        anthropic = not _ANTHROPIC.isdisjoint(usage) and not prompt_details
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
    thought = thinking if 0 < thinking <= completion else None
    return Usage(prompt - cached - written, completion, cached, written, thought)


def _written(counts: Mapping[str, Any]) -> int:
    """What was written to the cache: one number, or one for each time to live."""
    by_time = counts.get(_BY_TIME)
    return _first(counts, _WRITTEN) or (sum(map(_count, _object(by_time).values())) if by_time else 0)


def _details(usage: dict[str, Any], names: tuple[str, str]) -> dict[str, Any]:
    return _object(usage.get(names[0]) or usage.get(names[1]))


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
