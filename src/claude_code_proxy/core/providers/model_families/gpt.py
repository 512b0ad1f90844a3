"""OpenAI's models."""

from __future__ import annotations

from typing import Any

from claude_code_proxy.core.providers.types import Family, Limit

_ROWS = ("openai", "azure", "copilot")
_OWN = ("openai", "azure")  # Copilot has limits of its own
_THREE = ("low", "medium", "high")
_TO_MAX = (*_THREE, "xhigh", "max")
_REASONS: dict[str, Any] = {
    "max_tokens_field": "max_completion_tokens",
    "drop_params": ("temperature", "top_p"),
    "stop_max": 0,
    "thinking_switch": "reasoning_effort",
    "thinking_default": True,
}
_RESPONSES: dict[str, Any] = {
    "api": "responses",
    "reasoning_replay": "responses_item",
    "tool_result_images": "inline",
    "web_search": True,
}


def _family(pattern: str, overrides: dict[str, Any], evidence: str) -> Family:
    return Family(pattern, overrides, evidence, _ROWS)


def _limit(pattern: str, context: int, output: int, evidence: str) -> Limit:
    return Limit(pattern, context, output, evidence, _OWN)


FAMILIES = (
    _family("o[1-9]*", {**_REASONS, "effort_values": _THREE}, "reports: sampling, stop refused"),
    _family(
        "gpt-5*",
        {**_REASONS, "effort_values": ("minimal", *_THREE)},
        "docs and reports: max_tokens, sampling and stop refused; efforts",
    ),
    _family("gpt-5-pro*", {"effort_values": ("high",)}, "reports: high only"),
    _family(
        "gpt-5.1*",
        {"effort_values": ("none", *_THREE), "thinking_default": False},
        "reports: none is a level and the default",
    ),
    _family(
        "gpt-5.[2-5]*",
        {"effort_values": ("none", *_THREE, "xhigh"), "thinking_default": False},
        "reports: none to xhigh, none the default",
    ),
    _family("gpt-5.5*", {"thinking_default": True}, "reports: reasons by default"),
    _family(
        "gpt-5.[6-9]*",
        {"effort_values": ("none", *_TO_MAX)},
        "docs and reports: none to max, minimal refused",
    ),
    _family(
        "gpt-5.[4-9]*",
        _RESPONSES,
        "reports: tools with reasoning refused on Chat Completions; from 5.5 on even without the field",
    ),
    _family(
        "gpt-[6-9]*",
        {**_REASONS, **_RESPONSES, "effort_values": _TO_MAX},
        "docs: tools only on Responses, no level none for most; 6.2 inferred",
    ),
    _family("gpt-6-sol*", {"effort_values": ("none", *_TO_MAX)}, "docs: none to max"),
    _family("gpt-6-luna*", {"effort_values": ("none", *_TO_MAX)}, "docs: none to max"),
    _family("gpt-6.1-terra*", {"effort_values": ("none", *_TO_MAX)}, "docs: none to max"),
    _family("gpt-5*-codex*", _RESPONSES, "general knowledge: served on Responses only"),
    _family("*-pro", _RESPONSES, "general knowledge: the pro models are on Responses only"),
)

LIMITS = (
    _limit("gpt-[6-9]*", 1_050_000, 128_000, "docs: model pages; 922,000 of input"),
    _limit("gpt-5.4-mini*", 400_000, 128_000, "docs: model page"),
    _limit("gpt-5.[4-9]*", 1_050_000, 128_000, "docs: model pages; 922,000 of input"),
    _limit("gpt-5*", 400_000, 128_000, "registry; 272,000 of input"),
    _limit("o3*", 200_000, 100_000, "registry"),
    _limit("o4-mini*", 200_000, 100_000, "registry"),
    _limit("gpt-4.1*", 1_047_576, 32_768, "general knowledge"),
    _limit("gpt-4o*", 128_000, 16_384, "reports: refusals above the output limit"),
)
