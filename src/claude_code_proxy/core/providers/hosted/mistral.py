"""Mistral."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.providers.types import Family, Limit, Provider

PROVIDER = Provider(
    name="mistral",
    title="Mistral",
    aliases=("codestral",),
    api_base="https://api.mistral.ai/v1",
    key_variables=("MISTRAL_API_KEY",),
    models=("mistral-large-4", "mistral-medium-3-5"),
    docs="docs.mistral.ai",
    note="Unknown fields are refused, so be careful with `extra_body`. Earlier thinking is not sent back.",
    hosts=("api.mistral.ai",),
    model_prefixes=("mistral-", "codestral-", "magistral-"),
    profile=Profile(
        name="mistral",
        user_after_tool="bridge",
        prefill="native_prefix",
        tool_id="alnum9",
        prompt_cache_key=True,
        stream_usage=False,
        evidence=(
            "reports: tool ids of nine alphanumerics, any unknown field is a 422 "
            "(max_completion_tokens, reasoning_content), user after tool refused (loosening);"
            " one report of 2025: stream_options refused, usage comes unasked; docs: prefix, "
            "prompt_cache_key"
        ),
    ),
    families=(
        Family(
            "mistral-medium-3[-.]5*",
            {"thinking_switch": "reasoning_effort", "effort_values": ("none", "high")},
            "docs: none or high",
        ),
        Family(
            "mistral-small-2603*",
            {"thinking_switch": "reasoning_effort", "effort_values": ("none", "high")},
            "docs: none or high",
        ),
        Family(
            "mistral-large-4*",
            {"thinking_switch": "reasoning_effort", "effort_values": ("low", "medium", "high")},
            "docs: low to high",
        ),
    ),
    limits=(
        Limit("mistral-large-4*", 1_048_576, None, "docs"),
        Limit("mistral-medium-3[-.]5*", 262_144, None, "docs"),
        Limit("mistral-small-2603*", 256_000, None, "docs: 256k"),
    ),
)
