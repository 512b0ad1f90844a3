"""What hosts of Claude say of betas and fields that they do not take, and what is left out then."""

from __future__ import annotations

import time
from typing import Any

import pytest

from claude_code_proxy.core.errors.left_out import left_out

BETAS = ["claude-code-20250219", "effort-2025-11-24", "prompt-caching-scope-2026-01-05"]
REQUEST: dict[str, Any] = {
    "model": "m",
    "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "scope": "global"}}],
    "messages": [{"role": "user", "content": [{"type": "text", "text": "hi", "extra": 1}]}],
    "tools": [{"name": "a"}, {"name": "b", "defer_loading": True}],
    "output_config": {"effort": "high"},
    "context_management": {"edits": []},
    "max_tokens": 1,
}
ALL = tuple(BETAS)


@pytest.mark.parametrize(
    ("message", "betas", "fields"),
    [
        (
            "Unexpected value(s) `prompt-caching-scope-2026-01-05`, `effort-2025-11-24` for the `anthropic-beta` "
            "header. Please consult our documentation at docs.anthropic.com or try again without the header.",
            (BETAS[1], BETAS[2]),
            (),
        ),
        ("The model returned the following errors: invalid beta flag", ALL, ()),
        ("unsupported beta: effort-2025-11-24", (BETAS[1],), ()),
        ("tools.1.custom.defer_loading: Extra inputs are not permitted", (), ("tools.*.defer_loading",)),
        ("context_management: Extra inputs are not permitted", (), ("context_management",)),
        (
            "system.0.cache_control.ephemeral.scope: Extra inputs are not permitted\n"
            "output_config.effort: Extra inputs are not permitted, "
            "messages.0.content.0.text.extra: Extra inputs are not permitted",
            (),
            ("system.*.cache_control.scope", "output_config.effort", "messages.*.content.*.extra"),
        ),
        (
            "invalid beta flag; context_management: Extra inputs are not permitted",
            ALL,
            ("context_management",),
        ),
    ],
)
def test_what_is_left_out(message: str, betas: tuple[str, ...], fields: tuple[str, ...]) -> None:
    found = left_out(message, REQUEST, BETAS)
    assert found is not None
    assert (found.betas, found.fields) == (betas, fields)


@pytest.mark.parametrize(
    "message",
    [
        "",
        "prompt is too long",
        "messages: Extra inputs are not permitted",
        "model: Extra inputs are not permitted",
        "tools.1: Extra inputs are not permitted",
        "tools.7.defer_loading: Extra inputs are not permitted",
        "unknown: Extra inputs are not permitted",
        "tools.1.custom.unknown: Extra inputs are not permitted",
        "anthropic-beta is fine",
    ],
)
def test_what_says_nothing(message: str) -> None:
    assert left_out(message, REQUEST, BETAS) is None


def test_without_betas_none_is_left_out() -> None:
    assert left_out("invalid beta flag", REQUEST, []) is None


def test_long_messages_take_no_time() -> None:
    began = time.perf_counter()
    for text in ("a" * 4096, "a." * 2048, "unexpected value(s)" * 200):
        assert left_out(text, REQUEST, BETAS) is None
    assert time.perf_counter() - began < 0.5
