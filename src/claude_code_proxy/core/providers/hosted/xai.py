"""xAI."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.providers.types import Family, Limit, Provider

PROVIDER = Provider(
    name="xai",
    title="xAI",
    aliases=("grok",),
    api_base="https://api.x.ai/v1",
    key_variables=("XAI_API_KEY",),
    models=("grok-4.7", "grok-4.3"),
    docs="docs.x.ai",
    note="Its own Messages endpoint is deprecated. A wrong key is a 400 there.",
    hosts=("api.x.ai",),
    model_prefixes=("grok-",),
    profile=Profile(
        name="xai",
        stop_max=0,
        thinking_default=True,
        schema_dialect="xai",
        evidence=(
            "docs: the subset of JSON Schema; reasoning models refuse stop, effort differs per model "
            "and some refuse it;"
            " reports: reasoning tokens outside completion_tokens; encrypted reasoning exists"
            " only on Responses"
        ),
    ),
    families=(
        Family(
            "grok-4.[5-9]*",
            {"thinking_switch": "reasoning_effort", "effort_values": ("low", "medium", "high")},
            "docs: low, medium, high, never off",
        ),
        Family("grok-4.[67]*", {"effort_values": ("low", "medium", "high", "xhigh")}, "docs: to xhigh"),
        Family(
            "grok-4.3*",
            {"thinking_switch": "reasoning_effort", "effort_values": ("none", "low", "medium", "high")},
            "docs: none to high; none doubtful",
        ),
        Family(
            "*non-reasoning*", {"stop_max": 4, "thinking_default": False}, "docs: only reasoning refuses stop"
        ),
    ),
    limits=(
        Limit("grok-4.[567]*", 500_000, None, "docs: 500k"),
        Limit("grok-4.3*", 1_000_000, 30_000, "docs: 1M; registry: output"),
        Limit("grok-build-*", 256_000, None, "docs: 256k"),
    ),
)
