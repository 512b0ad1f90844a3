"""Groq."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.providers.types import Family, Limit, Provider

PROVIDER = Provider(
    name="groq",
    title="Groq",
    api_base="https://api.groq.com/openai/v1",
    key_variables=("GROQ_API_KEY",),
    models=("openai/gpt-oss-120b", "openai/gpt-oss-20b"),
    docs="console.groq.com/docs",
    note="The limit per minute of a free key is smaller than Claude Code's first request.",
    hosts=("api.groq.com",),
    bases_without_v1=("/openai",),
    profile=Profile(
        name="groq",
        max_tokens_field="max_completion_tokens",
        structured_with_tools=False,
        evidence=(
            "reports: unknown message fields are a 400, so no reasoning goes back, and JSON "
            "mode with tools is refused; docs: reasoning_format, efforts per model; general "
            "knowledge: max_tokens deprecated"
        ),
    ),
    families=(
        Family(
            "*gpt-oss*",
            {
                "thinking_switch": "reasoning_effort",
                "effort_values": ("low", "medium", "high"),
                "thinking_default": True,
                "vision": False,
                "web_search_body": {"tools": [{"type": "browser_search"}]},
            },
            "docs: low, medium, high; text only; reports: its browser search, streamed too",
        ),
        Family(
            "qwen/*",
            {"extra_body": {"reasoning_format": "parsed"}, "thinking_default": True},
            "docs: raw thinking beside tools is a 400; the only levels are none and default",
        ),
    ),
    limits=(Limit("*gpt-oss-*", 131_072, 65_536, "docs"),),
)
