"""Volcengine Doubao (Ark)."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import NativeProfile, Profile
from claude_code_proxy.core.providers.types import Limit, Provider

PROVIDER = Provider(
    name="doubao",
    title="Volcengine Doubao (Ark)",
    aliases=("ark", "volcengine", "volces"),
    api_base="https://ark.cn-beijing.volces.com/api/v3",
    anthropic_base="https://ark.cn-beijing.volces.com/api/compatible",
    key_variables=("ARK_API_KEY",),
    models=("doubao-seed-2-1-pro-260628", "doubao-seed-2-0-code"),
    docs="volcengine.com/docs/82379",
    note="Coding-plan keys use `/api/coding/v3` (native: `/api/coding`), and its models have other names.",
    hosts=("ark.cn-beijing.volces.com", "bytepluses.com"),
    model_prefixes=("doubao-",),
    profile=Profile(
        name="doubao",
        max_tokens_field="max_completion_tokens",
        max_output=65_536,
        thinking_switch="thinking_type",
        thinking_default=True,
        effort_values=("minimal", "low", "medium", "high", "xhigh", "max"),
        reasoning_replay="reasoning_content",
        assistant_empty_content="empty_string",
        structured_output="json_object",
        evidence=(
            "restated: thinking types, seven effort words, max_tokens together with "
            "max_completion_tokens is an error and only the latter counts thinking (1 to "
            "65,536), null content refused until September 2026, full tool choice; assumed: "
            "JSON mode only"
        ),
    ),
    native=NativeProfile(
        name="doubao",
        evidence="reports: both key headers; restated: role system accepted",
    ),
    limits=(Limit("*seed*code*", 256_000, None, "docs: 256K"),),
)
