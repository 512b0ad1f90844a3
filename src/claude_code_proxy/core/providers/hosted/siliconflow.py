"""SiliconFlow."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import NativeProfile, Profile
from claude_code_proxy.core.providers.types import Family, Provider

PROVIDER = Provider(
    name="siliconflow",
    title="SiliconFlow",
    aliases=("silicon",),
    api_base="https://api.siliconflow.com/v1",
    anthropic_base="https://api.siliconflow.com",
    key_variables=("SILICONFLOW_API_KEY",),
    docs="docs.siliconflow.com",
    note="In China: api.siliconflow.cn. Pick ids from its own list.",
    hosts=("siliconflow.cn", "siliconflow.com"),
    profile=Profile(
        name="siliconflow",
        reasoning_replay="reasoning_content",
        tool_choice_thinking="auto_none",
        parallel_param=False,
        evidence=(
            "restated: enable_thinking and thinking_budget per model, json_schema; "
            "undocumented: tool_choice, stream_options; assumed: reasoning is accepted back, "
            "as the hosted DeepSeek models demand it"
        ),
    ),
    native=NativeProfile(
        name="siliconflow",
        auth="bearer",
        mid_system="user_wrap",
        evidence="docs: Bearer; role system unmeasured; restated: tool_choice any is not in the schema",
    ),
    families=(
        Family(
            "*qwen3-*",
            {"thinking_switch": "enable_thinking", "thinking_default": True},
            "restated: enable_thinking; general knowledge: other models refuse the field",
        ),
        Family(
            "*deepseek-v3.[1-9]*",
            {"thinking_switch": "enable_thinking", "thinking_default": True},
            "restated: enable_thinking; general knowledge: other models refuse the field",
        ),
        Family(
            "*deepseek-v4*",
            {"thinking_switch": "enable_thinking", "thinking_default": True},
            "restated: enable_thinking; general knowledge: other models refuse the field",
        ),
        Family(
            "*glm-4.[5-9]*",
            {"thinking_switch": "enable_thinking", "thinking_default": True},
            "restated: enable_thinking; general knowledge: other models refuse the field",
        ),
        Family(
            "*glm-5*",
            {"thinking_switch": "enable_thinking", "thinking_default": True},
            "restated: enable_thinking; general knowledge: other models refuse the field",
        ),
        Family(
            "*coder*",
            {
                "thinking_switch": "none",
                "thinking_default": False,
                "thinking_stream_only": False,
                "tool_choice_thinking": None,
            },
            "general knowledge: no thinking",
        ),
        Family(
            "*deepseek-v4*",
            {"effort_values": ("high", "max"), "require_reasoning_on_tool_calls": True},
            "restated: high and max; the model's own rule for tool turns",
        ),
        Family("*glm-5.2*", {"effort_values": ("high", "max")}, "restated: high and max"),
    ),
)
