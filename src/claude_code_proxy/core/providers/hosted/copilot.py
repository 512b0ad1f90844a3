"""GitHub Copilot."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import NativeProfile, Profile
from claude_code_proxy.core.providers.types import Family, Limit, Provider

PROVIDER = Provider(
    name="copilot",
    title="GitHub Copilot",
    api_base="https://api.githubcopilot.com",
    anthropic_base="https://api.githubcopilot.com",
    docs="docs.github.com/copilot",
    note=(
        "Needs its short-lived token and the headers of an editor as `extra_headers`. Use "
        "outside its official clients may break its terms."
    ),
    hosts=("githubcopilot.com",),
    profile=Profile(
        name="copilot",
        merge_choices=True,
        reasoning_replay="reasoning_opaque",
        evidence=(
            "reports: text and tool calls of one answer in several choices, limits below the "
            "vendors' own; reasoning as reasoning_text and reasoning_opaque, both wanted back beside "
            "tool calls; use outside its official clients may break its terms"
        ),
    ),
    native=NativeProfile(
        name="copilot",
        auth="bearer",
        drop_betas=("context-management-*",),
        drop_fields=("context_management", "tools.*.defer_loading"),
        evidence="reports: context_management and defer_loading refused; no count_tokens",
    ),
    families=(
        Family(
            "gemini-*",
            {"schema_dialect": "gemini", "tool_name_start": "letter_or_underscore"},
            "reports: schema keywords and tool names refused by the upstream",
        ),
        Family("grok-*", {"schema_dialect": "xai"}, "docs of the model's maker: the subset of JSON Schema"),
        Family(
            "kimi-*",
            {"schema_dialect": "kimi", "tool_name_start": "letter"},
            "docs of the model's maker: its JSON Schema",
        ),
    ),
    limits=(
        Limit("gpt-5.5*", 272_000, None, "registry: input limit"),
        Limit("claude-opus-4.8*", 168_000, None, "registry: input limit"),
        Limit("gemini-3.5-flash*", 128_000, None, "registry: input limit"),
    ),
)
