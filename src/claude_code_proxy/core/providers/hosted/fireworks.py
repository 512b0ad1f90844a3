"""Fireworks."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import NativeProfile, Profile
from claude_code_proxy.core.providers.types import Family, Provider

PROVIDER = Provider(
    name="fireworks",
    title="Fireworks",
    aliases=("fireworksai",),
    api_base="https://api.fireworks.ai/inference/v1",
    anthropic_base="https://api.fireworks.ai/inference",
    key_variables=("FIREWORKS_API_KEY",),
    docs="docs.fireworks.ai",
    note="Ids are paths such as `accounts/fireworks/models/NAME`.",
    hosts=("api.fireworks.ai",),
    bases_without_v1=("/inference",),
    profile=Profile(
        name="fireworks",
        accept_params=("top_k",),
        reasoning_replay="reasoning_content",
        evidence=(
            "docs: usage in the last chunk, reasoning_effort and a thinking budget exclude "
            "each other; general knowledge, not re-checked: reasoning_content both ways, "
            "top_k"
        ),
    ),
    native=NativeProfile(
        name="fireworks",
        auth="bearer",
        evidence="docs: Bearer; the vendor lists gaps, not seen",
    ),
    families=(
        Family(
            "*deepseek-v3p*",
            {"thinking_switch": "reasoning_effort", "effort_values": ("low", "medium", "high")},
            "general knowledge, not re-checked",
        ),
        Family(
            "*deepseek-v4*",
            {"thinking_switch": "reasoning_effort", "effort_values": ("low", "medium", "high")},
            "general knowledge, not re-checked",
        ),
        Family(
            "*glm-*",
            {"thinking_switch": "reasoning_effort", "effort_values": ("low", "medium", "high")},
            "general knowledge, not re-checked",
        ),
        Family(
            "*kimi-k*",
            {"thinking_switch": "reasoning_effort", "effort_values": ("low", "medium", "high")},
            "general knowledge, not re-checked",
        ),
        Family(
            "*qwen3-*",
            {"thinking_switch": "reasoning_effort", "effort_values": ("low", "medium", "high")},
            "general knowledge, not re-checked",
        ),
    ),
)
