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
    ({"prompt_tokens": 3, "completion_tokens": 5, "cached_tokens": 9}, Usage(0, 5, 9)),
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
