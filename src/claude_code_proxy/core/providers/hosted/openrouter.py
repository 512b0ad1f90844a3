"""OpenRouter."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import NativeProfile, Profile
from claude_code_proxy.core.providers.types import Family, Provider

PROVIDER = Provider(
    name="openrouter",
    title="OpenRouter",
    aliases=("open-router",),
    api_base="https://openrouter.ai/api/v1",
    anthropic_base="https://openrouter.ai/api",
    key_variables=("OPENROUTER_API_KEY",),
    docs="openrouter.ai/docs",
    note=(
        'The whole catalogue with one entry: `model_id: "openrouter/*"`, `model_name: "*"`. '
        "The limit that Claude Code asks for counts against the credit."
    ),
    hosts=("openrouter.ai",),
    bases_without_v1=("/api",),
    profile=Profile(
        name="openrouter",
        min_output=16,
        accept_params=("top_k",),
        thinking_switch="openrouter",
        effort_values=("none", "minimal", "low", "medium", "high", "xhigh"),
        reasoning_replay="reasoning_details",
        pdf="file_part",
        tool_choice_thinking="auto_none",
        web_search_body={"tools": [{"type": "openrouter:web_search"}]},
        # Without it small endpoints may leave out the middle of the conversation without a word.
        extra_body={"transforms": []},
        evidence=(
            "docs: the reasoning object and its efforts, reasoning_details returned "
            "unmodified, least limit 16, transforms; docs and recorded: the web search tool "
            "for every model; reports: forced tool choice with thinking refused by most "
            "upstreams behind it"
        ),
    ),
    native=NativeProfile(
        name="openrouter",
        auth="bearer",
        evidence=(
            "docs: Bearer, the x-api-key variable must stay empty; Claude Code assured for Claude models only"
        ),
    ),
    families=(
        Family(
            "anthropic/*",
            {"cache_control": "passthrough", "accept_params": ("top_k", "cache_control")},
            "docs: marks pass through with their ttl; one at the top of the request is kept at its end",
        ),
        Family("qwen/*", {"cache_control": "passthrough"}, "docs: marks pass through"),
        Family("openai/*", {"tool_choice_thinking": None}, "reports: no such refusal"),
        Family(
            "google/*",
            {
                "tool_choice_thinking": None,
                "schema_dialect": "gemini",
                "tool_name_start": "letter_or_underscore",
            },
            "reports: schema keywords and tool names refused by the upstream",
        ),
        Family(
            "moonshotai/*",
            {
                "tool_id": "raw",
                "require_reasoning_on_tool_calls": True,
                "reasoning_filler": " ",
                "schema_dialect": "kimi",
                "tool_name_start": "letter",
            },
            "reports: the model's ids must stay as they are, schemas refused by the upstream",
        ),
        Family("x-ai/*", {"schema_dialect": "xai"}, "reports: schema keywords refused by the upstream"),
        Family(
            "deepseek/*",
            {"require_reasoning_on_tool_calls": True},
            "docs of the model's maker: reasoning of every tool turn",
        ),
        Family(
            "mistralai/*",
            {"tool_id": "alnum9", "user_after_tool": "bridge"},
            "reports: seen on other hosts of the models as well",
        ),
    ),
)
