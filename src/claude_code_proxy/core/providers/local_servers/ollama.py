"""Ollama."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import NativeProfile, Profile
from claude_code_proxy.core.providers.types import Family, Provider

PROVIDER = Provider(
    name="ollama",
    title="Ollama",
    start="ollama serve",
    loaded="/api/ps",
    shown="/api/show",
    api_base="http://127.0.0.1:11434/v1",
    anthropic_base="http://127.0.0.1:11434",
    docs="docs.ollama.com",
    note="Set `OLLAMA_CONTEXT_LENGTH` to 64000 or more: overlong prompts are cut without a word.",
    hosts=("ollama.com",),
    port=11_434,
    profile=Profile(
        name="ollama",
        reasoning_replay="reasoning",
        tool_choice_support="omit",
        parallel_param=False,
        evidence=(
            "docs: reasoning field, efforts none to max for thinking models, no tool_choice, "
            "num_ctx cannot be set here (long prompts are cut silently: set "
            "OLLAMA_CONTEXT_LENGTH)"
        ),
    ),
    native=NativeProfile(
        name="ollama",
        auth="bearer",
        mid_system="user_wrap",
        evidence=(
            "reports: role system refused by older versions and moved to the head by the "
            "cloud; one report: the cloud takes Bearer only (a local server looks at neither)"
        ),
    ),
    families=(
        Family(
            "*qwen3*",
            {
                "thinking_switch": "reasoning_effort",
                "effort_values": ("none", "low", "medium", "high", "max"),
                "thinking_default": True,
            },
            "docs: none to max; general knowledge: other models refuse to think with an error",
        ),
        Family(
            "*deepseek-r1*",
            {
                "thinking_switch": "reasoning_effort",
                "effort_values": ("none", "low", "medium", "high", "max"),
                "thinking_default": True,
            },
            "docs: none to max; general knowledge: other models refuse to think with an error",
        ),
        Family(
            "*deepseek-v[34]*",
            {
                "thinking_switch": "reasoning_effort",
                "effort_values": ("none", "low", "medium", "high", "max"),
                "thinking_default": True,
            },
            "docs: none to max; general knowledge: other models refuse to think with an error",
        ),
        Family(
            "*magistral*",
            {
                "thinking_switch": "reasoning_effort",
                "effort_values": ("none", "low", "medium", "high", "max"),
                "thinking_default": True,
            },
            "docs: none to max; general knowledge: other models refuse to think with an error",
        ),
        Family(
            "*glm-[45]*",
            {
                "thinking_switch": "reasoning_effort",
                "effort_values": ("none", "low", "medium", "high", "max"),
                "thinking_default": True,
            },
            "docs: none to max; general knowledge: other models refuse to think with an error",
        ),
        Family(
            "*kimi-k*",
            {
                "thinking_switch": "reasoning_effort",
                "effort_values": ("none", "low", "medium", "high", "max"),
                "thinking_default": True,
            },
            "docs: none to max; general knowledge: other models refuse to think with an error",
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
            "*instruct*",
            {
                "thinking_switch": "none",
                "thinking_default": False,
                "thinking_stream_only": False,
                "tool_choice_thinking": None,
            },
            "general knowledge: no thinking",
        ),
    ),
)
