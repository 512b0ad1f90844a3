"""Alibaba Qwen."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import NativeProfile, Profile
from claude_code_proxy.core.providers.types import Family, Limit, Provider

PROVIDER = Provider(
    name="qwen",
    title="Alibaba Qwen",
    aliases=("dashscope", "alibaba", "bailian"),
    api_base="https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
    anthropic_base="https://dashscope-intl.aliyuncs.com/apps/anthropic",
    key_variables=("DASHSCOPE_API_KEY",),
    models=("qwen3.8-max", "qwen3.7-plus", "qwen3-coder-plus"),
    docs="alibabacloud.com/help/model-studio",
    note=(
        "Keys belong to a region: without `-intl` for China. Coding-plan keys (`sk-sp-`) have"
        " hosts of their own."
    ),
    hosts=(
        "dashscope.aliyuncs.com",
        "dashscope-intl.aliyuncs.com",
        "dashscope-us.aliyuncs.com",
        "coding-intl.dashscope.aliyuncs.com",
        "maas.aliyuncs.com",
    ),
    bases_without_v1=("/compatible-mode",),
    model_prefixes=("qwen",),
    profile=Profile(
        name="qwen",
        accept_params=("top_k",),
        thinking_switch="enable_thinking",
        thinking_default=True,
        thinking_stream_only=True,
        reasoning_replay="reasoning_content",
        tool_choice_thinking="auto_none",
        web_search_body={"enable_search": True},
        structured_output="json_object",
        evidence=(
            "docs: enable_search on the compatible endpoint; restated: enable_thinking with "
            "defaults that differ per model, whole answers only with thinking off, top_k; "
            "reports: forced tool choice refused while thinking, still in September 2026; "
            "assumed: JSON mode only, reasoning is accepted back"
        ),
    ),
    native=NativeProfile(
        name="qwen",
        evidence=(
            "docs: both key headers; restated: role system accepted since mid 2026, cache marks supported"
        ),
    ),
    families=(
        Family(
            "*coder*",
            {
                "thinking_switch": "none",
                "thinking_default": False,
                "thinking_stream_only": False,
                "tool_choice_thinking": None,
                "vision": False,
                "web_search_body": {},
            },
            "restated: no thinking; assumed: text only, no search",
        ),
        Family(
            "*-vl*",
            {
                "thinking_switch": "none",
                "thinking_default": False,
                "thinking_stream_only": False,
                "tool_choice_thinking": None,
            },
            "restated: no thinking switch",
        ),
        Family(
            "qwen3.8*",
            {"effort_values": ("low", "medium", "xhigh")},
            "restated: these efforts; together with a thinking budget an error",
        ),
        Family("qwen3.7-max-preview*", {"thinking": True}, "restated: always thinks"),
        Family("qwen3.7-max-2026-05-17", {"thinking": True}, "restated: always thinks"),
        Family("qwen3.8-2.4t-a95b", {"thinking": True}, "restated: always thinks"),
        Family("qwq*", {"thinking": True}, "restated: always thinks"),
    ),
    limits=(
        Limit("qwen3.6-plus*", None, 65_536, "reports"),
        Limit("qwen3-coder-plus*", 1_000_000, None, "reports: 997,952 tokens of input"),
    ),
)
