"""MiniMax."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import NativeProfile, Profile
from claude_code_proxy.core.providers.types import Family, Limit, Provider

PROVIDER = Provider(
    name="minimax",
    title="MiniMax",
    api_base="https://api.minimax.io/v1",
    anthropic_base="https://api.minimax.io/anthropic",
    key_variables=("MINIMAX_API_KEY",),
    models=("MiniMax-M3", "MiniMax-M2.7"),
    docs="platform.minimax.io/docs",
    note="Keys belong to a site: api.minimax.cn in China. The M2 models always think.",
    hosts=("minimax.io", "minimax.cn", "minimaxi.com"),
    model_prefixes=("minimax-m",),
    profile=Profile(
        name="minimax",
        max_tokens_field="max_completion_tokens",
        temperature_range=(0.01, 1.0),
        stop_mode="local",
        thinking_default=True,
        reasoning_replay="reasoning_details",
        assistant_empty_content="empty_string",
        tool_choice_support="omit",
        parallel_param=False,
        structured_output="none",
        extra_body={"reasoning_split": True},
        evidence=(
            "docs: reasoning_split moves thinking out of the text, whole turns must come "
            "back; restated: temperature above 0, max_completion_tokens; one report: null "
            "content, tool_choice and parallel_tool_calls refused; assumed: stops and "
            "response_format not honoured"
        ),
    ),
    native=NativeProfile(
        name="minimax",
        auth="bearer",
        evidence=(
            "one report: x-api-key fails on the Chinese site, Bearer works; one live run with role system"
        ),
    ),
    families=(
        Family("minimax-m2*", {"thinking": True, "vision": False}, "restated: always thinks, text"),
        Family(
            "minimax-m3*",
            {"thinking_switch": "thinking_type", "thinking_on": {"type": "adaptive"}},
            "restated: adaptive or disabled; takes images",
        ),
        Family(
            "*m3.1-flash*",
            {
                "thinking_switch": "reasoning_effort",
                "effort_values": ("low", "medium", "high", "xhigh", "max"),
                "reasoning_replay": "reasoning_content",
            },
            "restated: low to max, answers with reasoning_content",
        ),
    ),
    limits=(Limit("minimax-m3*", 1_000_000, None, "docs: 1M"),),
)
