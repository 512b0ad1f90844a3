from __future__ import annotations

from typing import Any

import pytest

from claude_code_proxy.core.deltas import Usage
from claude_code_proxy.core.openai.usage import read_usage

CASES: list[tuple[Any, Usage | None]] = [
    ({"prompt_tokens": 10, "completion_tokens": 5}, Usage(10, 5)),
    ({"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": None}, Usage(10, 5)),
    (
        {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}},
        Usage(6, 5, 4),
    ),
    ({"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 4}, Usage(6, 5, 4)),
    ({"prompt_tokens": 10, "completion_tokens": 5, "cached_tokens": 4}, Usage(6, 5, 4)),
    (
        {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cache_write_tokens": 3}},
        Usage(7, 5, 0, 3),
    ),
    ({"prompt_tokens": 10, "completion_tokens": 5, "cache_creation_input_tokens": 3}, Usage(7, 5, 0, 3)),
    ({"prompt_tokens": 3, "completion_tokens": 5, "cached_tokens": 9}, Usage(0, 5, 3)),
    (
        {"prompt_tokens": 1, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 4}},
        Usage(1, 5, thinking_tokens=4),
    ),
    (
        {"prompt_tokens": 1, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 9}},
        Usage(1, 5),
    ),
    (
        {
            "prompt_tokens": 1,
            "completion_tokens": 5,
            "total_tokens": 15,
            "completion_tokens_details": {"reasoning_tokens": 9},
        },
        Usage(1, 14, thinking_tokens=9),
    ),
    # what the total holds beyond the parts: Gemini's thinking, with and without an answer
    ({"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109}, Usage(35, 74, thinking_tokens=62)),
    ({"prompt_tokens": 35, "total_tokens": 109}, Usage(35, 74)),
    ({"completion_tokens": 12, "total_tokens": 109}, Usage(97, 12)),
    ({"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 20}, Usage(35, 12)),
    ({"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": "many"}, Usage(35, 12)),
    (
        {
            "prompt_tokens": 100,
            "completion_tokens": 12,
            "total_tokens": 130,
            "prompt_tokens_details": {"cached_tokens": 64},
            "completion_tokens_details": {"reasoning_tokens": 18},
        },
        Usage(36, 30, 64, thinking_tokens=18),
    ),
    (
        {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 19, "reasoning_tokens": 9},
        Usage(5, 14, thinking_tokens=9),
    ),
    # a total that shows what was cached outside of the prompt
    (
        {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 30,
            "prompt_tokens_details": {"cached_tokens": 15},
        },
        Usage(10, 5, 15),
    ),
    (
        {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 22,
            "cached_tokens": 4,
            "cache_write_tokens": 7,
        },
        Usage(6, 5, 4, 7),
    ),
    # cached above the prompt, as xAI was seen to say
    (
        {
            "prompt_tokens": 293,
            "completion_tokens": 58,
            "total_tokens": 351,
            "prompt_tokens_details": {"cached_tokens": 387},
        },
        Usage(0, 58, 293),
    ),
    (
        {
            "prompt_tokens": 9,
            "completion_tokens": 1,
            "prompt_tokens_details": {"cached_tokens": 6, "cache_write_tokens": 6},
        },
        Usage(0, 1, 6, 3),
    ),
    # DashScope
    (
        {
            "prompt_tokens": 3019,
            "completion_tokens": 104,
            "total_tokens": 3123,
            "prompt_tokens_details": {
                "cached_tokens": 2048,
                "cache_type": "ephemeral",
                "cache_creation_input_tokens": 600,
                "cache_creation": {"ephemeral_5m_input_tokens": 600},
            },
        },
        Usage(371, 104, 2048, 600),
    ),
    (
        {
            "prompt_tokens": 3019,
            "completion_tokens": 104,
            "prompt_tokens_details": {
                "cached_tokens": 0,
                "cache_creation": {"ephemeral_5m_input_tokens": 600, "ephemeral_1h_input_tokens": 19},
            },
        },
        Usage(2400, 104, 0, 619),
    ),
    # DeepSeek, also where it names nothing else
    (
        {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "prompt_cache_hit_tokens": 4,
            "prompt_cache_miss_tokens": 6,
        },
        Usage(6, 5, 4),
    ),
    ({"completion_tokens": 5, "prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 6}, Usage(6, 5, 4)),
    # Anthropic's names: disjoint, unless `prompt_tokens` says that they are not
    (
        {
            "input_tokens": 10,
            "output_tokens": 5,
            "cache_read_input_tokens": 4,
            "cache_creation_input_tokens": 3,
        },
        Usage(10, 5, 4, 3),
    ),
    ({"input_tokens": 0, "output_tokens": 5, "cache_read_input_tokens": 900}, Usage(0, 5, 900)),
    (
        {
            "input_tokens": 10,
            "output_tokens": 5,
            "cache_read_input_tokens": 4,
            "cache_creation_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "output_tokens_details": {"thinking_tokens": 2},
        },
        Usage(10, 5, 4, thinking_tokens=2),
    ),
    ({"prompt_tokens": 10, "completion_tokens": 5, "cache_read_input_tokens": 900}, Usage(10, 5, 900)),
    (
        {"prompt_tokens": 1000, "completion_tokens": 5, "input_tokens": 100, "cache_read_input_tokens": 900},
        Usage(100, 5, 900),
    ),
    ({"prompt_tokens": 0, "completion_tokens": 0, "input_tokens": 10, "output_tokens": 5}, Usage(10, 5)),
    # Responses: `input_tokens` includes what was cached
    (
        {
            "input_tokens": 10,
            "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 1},
            "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 2},
            "total_tokens": 15,
        },
        Usage(5, 5, 4, 1, thinking_tokens=2),
    ),
    ({"input_tokens": 10, "output_tokens": 5, "cached_tokens": 4}, Usage(6, 5, 4)),
    ({"prompt_tokens": 10.0, "completion_tokens": 5.7}, Usage(10, 5)),
    ({"prompt_tokens": -1, "completion_tokens": 5}, Usage(0, 5)),
    ({"prompt_tokens": None, "completion_tokens": "5"}, None),
    ({"prompt_tokens": True, "completion_tokens": False}, None),
    ({"prompt_tokens": float("inf"), "completion_tokens": 1}, Usage(0, 1)),
    ({"prompt_tokens": 0, "completion_tokens": 0}, None),
    ({}, None),
    (None, None),
    ([], None),
]


@pytest.mark.parametrize(("usage", "expected"), CASES)
def test_usage(usage: Any, expected: Usage | None) -> None:
    assert read_usage(usage) == expected


def test_written_tokens_outside_the_prompt() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "cache_creation_input_tokens": 3}
    assert read_usage(usage, written_outside_prompt=True) == Usage(10, 5, 0, 3)
