"""Zhipu GLM / Z.ai."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import NativeProfile, Profile
from claude_code_proxy.core.providers.types import Family, Limit, Provider

PROVIDER = Provider(
    name="glm",
    title="Zhipu GLM / Z.ai",
    aliases=("zhipu", "zai", "z.ai", "bigmodel"),
    api_base="https://api.z.ai/api/paas/v4",
    anthropic_base="https://api.z.ai/api/anthropic",
    key_variables=("ZAI_API_KEY", "ZHIPUAI_API_KEY"),
    models=("glm-5.3", "glm-5.3-flash", "glm-4.7"),
    docs="docs.z.ai",
    note=(
        "A coding-plan key needs `https://api.z.ai/api/coding/paas/v4`; elsewhere it is told "
        "that there is no balance. In China: open.bigmodel.cn."
    ),
    hosts=("z.ai", "bigmodel.cn"),
    model_prefixes=("glm-",),
    profile=Profile(
        name="glm",
        stop_max=1,  # older docs: one; newer: four. The proxy finds the others itself, so one loses nothing.
        thinking_switch="thinking_type",
        thinking_on={"type": "enabled", "clear_thinking": False},
        thinking_default=True,
        reasoning_replay="reasoning_content",
        vision=False,
        tool_choice_support="auto_only",
        parallel_param=False,
        structured_output="json_object",
        extra_body={"tool_stream": True},
        evidence=(
            "restated: thinking on by default, clear_thinking defaults to true and strips "
            "earlier reasoning, JSON mode only; reports: any tool choice but auto is a 400, "
            "arguments stream only with tool_stream; recorded: stream_options accepted"
        ),
    ),
    native=NativeProfile(
        name="glm",
        evidence=(
            "one report each: x-api-key and Bearer work, role system inside messages works; no vendor matrix"
        ),
    ),
    families=(
        Family("glm-4.5*", {"extra_body": {}}, "one client sends tool_stream only from 4.6 on"),
        Family(
            "glm-5.2*",
            {"effort_values": ("low", "medium", "high", "xhigh", "max")},
            "restated: efforts from 5.2 on, folded",
        ),
        Family(
            "glm-5.3*",
            {
                # It cannot be switched off; as an effort, "off" becomes low instead of the default, max.
                "thinking_switch": "reasoning_effort",
                "effort_values": ("low", "high", "max"),
                "extra_body": {"tool_stream": True, "thinking": {"type": "enabled", "clear_thinking": False}},
            },
            "restated: thinking cannot be disabled; low, high, max",
        ),
        Family("glm-5.3-flash*", {"vision": True}, "restated: takes images"),
        Family("glm-[45]*v*", {"vision": True}, "general knowledge: the v models take images"),
    ),
    limits=(
        Limit("glm-4.5*", None, 96_000, "restated: 96K"),
        Limit("glm-4.7*", 202_752, 128_000, "reports: overflow text; restated: 128K"),
        Limit("glm-5.[23]*", 1_000_000, 128_000, "restated: 1M and 128K, exact figures unknown"),
        Limit("glm-5*", 202_752, 128_000, "reports: overflow text; restated: 128K"),
    ),
)
