"""NVIDIA NIM."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.providers.types import Family, Provider

PROVIDER = Provider(
    name="nim",
    title="NVIDIA NIM",
    aliases=("nvidia",),
    api_base="https://integrate.api.nvidia.com/v1",
    key_variables=("NVIDIA_API_KEY",),
    docs="docs.api.nvidia.com",
    note="For a container of your own use its address with `profile: nim` or `vllm`.",
    hosts=("integrate.api.nvidia.com",),
    profile=Profile(
        name="nim",
        parallel_param=False,
        evidence=(
            "reports: thinking by chat_template_kwargs per model; general knowledge, not "
            "re-checked: strict about unknown fields on some models, so no reasoning goes "
            "back; parallel_tool_calls refused by some"
        ),
    ),
    families=(
        Family("*qwen3-*", {"thinking_switch": "chat_template_kwargs"}, "reports: per model"),
        Family("*glm-*", {"thinking_switch": "chat_template_kwargs"}, "reports: per model"),
        Family("*nemotron*", {"thinking_switch": "chat_template_kwargs"}, "reports: per model"),
        Family(
            "*deepseek-v3.[1-9]*",
            {"thinking_switch": "chat_template_kwargs", "thinking_key": "thinking"},
            "reports: the template's variable is thinking",
        ),
        Family(
            "*kimi-k2*",
            {"thinking_switch": "chat_template_kwargs", "thinking_key": "thinking"},
            "reports: the template's variable is thinking",
        ),
        Family(
            "*deepseek-v4-pro*",
            {"thinking_switch": "reasoning_effort", "effort_values": ("none", "high", "max")},
            "one registry: none, high, max",
        ),
    ),
)
