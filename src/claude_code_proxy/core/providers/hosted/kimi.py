"""Moonshot Kimi."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import NativeProfile, Profile
from claude_code_proxy.core.providers.types import Family, Limit, Provider

PROVIDER = Provider(
    name="kimi",
    title="Moonshot Kimi",
    aliases=("moonshot",),
    api_base="https://api.moonshot.ai/v1",
    anthropic_base="https://api.moonshot.ai/anthropic",
    key_variables=("MOONSHOT_API_KEY", "KIMI_API_KEY"),
    models=("kimi-k3.1-pro", "kimi-k3", "kimi-k2.6"),
    docs="platform.kimi.ai/docs",
    note=(
        "Keys of moonshot.ai and moonshot.cn are not interchangeable. A Kimi Code key belongs"
        " to api.kimi.com/coding, best with `format: anthropic`."
    ),
    hosts=("moonshot.ai", "moonshot.cn", "api.kimi.com"),
    model_prefixes=("kimi-",),
    profile=Profile(
        name="kimi",
        max_tokens_field="max_completion_tokens",
        drop_params=("temperature", "top_p"),
        thinking_default=True,
        reasoning_replay="reasoning_content",
        require_reasoning_on_tool_calls=True,
        reasoning_filler=" ",
        prefill="native_partial",
        tool_id="raw",
        tool_name_start="letter",
        schema_dialect="kimi",
        tool_choice_support="auto_none",
        parallel_param=False,
        structured_output="json_object",
        prompt_cache_key=True,
        evidence=(
            "docs: reasoning_content missing on a tool-call message is a 400; reports: tool "
            "ids must go back byte for byte, forced tool choice refused; restated: fixed "
            "sampling (other values 400), max_completion_tokens, prompt_cache_key; reports: a"
            " placeholder for missing reasoning passes, tool names begin with a letter; docs:"
            " its JSON Schema (MoonshotAI/walle); assumed: JSON mode only"
        ),
    ),
    native=NativeProfile(
        name="kimi",
        auth="bearer",
        mid_system="user_wrap",
        evidence=(
            "restated: Bearer only, roles user and assistant only, a named tool_choice is not in the schema"
        ),
    ),
    families=(
        Family(
            "kimi-k2.6*",
            {"thinking_switch": "thinking_type", "thinking_on": {"type": "enabled", "keep": "all"}},
            "restated: can be switched off; keep preserves earlier reasoning",
        ),
        Family("kimi-k2.7*", {"thinking": True}, "restated: always thinks, keep is fixed to all"),
        Family(
            "kimi-k3*",
            {
                "thinking_switch": "reasoning_effort",
                "effort_values": ("low", "high", "max"),
                "tool_choice_support": "no_named",
            },
            (
                "restated: always thinks, no thinking object, default max; required works, a "
                "named tool does not"
            ),
        ),
        Family(
            "k3*",  # the names on Kimi Code
            {
                "thinking_switch": "reasoning_effort",
                "effort_values": ("low", "medium", "high", "xhigh", "max"),
                "tool_choice_support": "no_named",
            },
            "restated: as kimi-k3; medium and xhigh are folded by the server",
        ),
    ),
    limits=(
        Limit("kimi-k3*", 1_048_576, None, "restated; outputs differ between catalogues"),
        Limit("kimi-k2*", 262_144, None, "restated; the overflow text names the window"),
        Limit("k3-256k*", 262_144, None, "its name"),
        Limit("k3*", 1_048_576, None, "restated"),
    ),
)
