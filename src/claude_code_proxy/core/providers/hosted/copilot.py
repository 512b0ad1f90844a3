"""GitHub Copilot."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import NativeProfile, Profile, SentHeader
from claude_code_proxy.core.providers.types import Family, Limit, Provider

_TURN = (
    SentHeader("X-Initiator", "user", "user_turn"),
    SentHeader("X-Initiator", "agent", "agent_turn"),
    SentHeader("Copilot-Vision-Request", "true", "image"),
    SentHeader("X-GitHub-Api-Version", "2025-05-01"),
)
"""What the official client says of each request, without its name: we are no editor."""

PROVIDER = Provider(
    name="copilot",
    title="GitHub Copilot",
    api_base="https://api.githubcopilot.com",
    anthropic_base="https://api.githubcopilot.com",
    docs="docs.github.com/copilot",
    login="copilot",
    models=("gpt-5.5", "gpt-5.4"),
    note=(
        "`ccproxy login copilot` finds the login of GitHub's own programs and asks which models speak which "
        "format. Use outside its official clients may break its terms."
    ),
    hosts=("githubcopilot.com",),
    is_versionless=True,
    profile=Profile(
        name="copilot",
        headers=(*_TURN, SentHeader("OpenAI-Intent", "conversation-agent")),
        merge_choices=True,
        reasoning_replay="reasoning_opaque",
        evidence=(
            "reports: text and tool calls of one answer in several choices, limits below the "
            "vendors' own; reasoning as reasoning_text and reasoning_opaque, both wanted back beside "
            "tool calls; its client's source: X-Initiator, Copilot-Vision-Request, OpenAI-Intent, and no "
            "/v1 but for Messages; reports: an honest User-Agent is taken; use outside its official "
            "clients may break its terms"
        ),
    ),
    native=NativeProfile(
        name="copilot",
        auth="bearer",
        headers=(*_TURN, SentHeader("OpenAI-Intent", "messages-proxy")),
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
