"""Google Gemini."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.providers.types import Family, Limit, Provider

PROVIDER = Provider(
    name="gemini",
    title="Google Gemini",
    aliases=("google",),
    api_base="https://generativelanguage.googleapis.com/v1beta/openai",
    key_variables=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    models=("gemini-4-argon", "gemini-3.8-flash"),
    docs="ai.google.dev/gemini-api/docs/openai",
    note="Thought signatures travel sealed in the tool ids. A wrong key is a 400 there.",
    hosts=("generativelanguage.googleapis.com",),
    model_prefixes=("gemini-",),
    profile=Profile(
        name="gemini",
        thinking_switch="reasoning_effort",
        thinking_default=True,
        effort_values=("minimal", "low", "medium", "high"),
        signature_filler="skip_thought_signature_validator",
        tool_name_start="letter_or_underscore",
        schema_dialect="gemini",
        parallel_param=False,
        structured_with_tools=False,
        evidence=(
            "docs: efforts, thinking cannot be switched off from 3.x on, thought signatures "
            "must come back and the stand-in for a missing one is a last resort; reports: "
            "schema keywords and the first letters of tool names refused; assumed: response_format "
            "with tools refused as by older"
            " models"
        ),
    ),
    families=(
        Family(
            "*gemini-2*",
            {"signature_filler": "", "effort_values": ("low", "medium", "high")},
            "docs: signatures are strict from 3.x on",
        ),
        Family(
            "*gemini-2.5-flash*", {"effort_values": ("none", "low", "medium", "high")}, "docs: only here none"
        ),
        Family("*gemini-3.8-flash*", {"effort_values": ("low", "medium", "high")}, "docs: no minimal"),
        Family("*gemini-4*", {"effort_values": ("low", "medium", "high")}, "docs: no minimal"),
    ),
    limits=(
        Limit("*gemini-4-argon*", 1_048_576, 65_536, "docs"),
        Limit("*gemini-3*", 1_048_576, 65_536, "docs"),
    ),
)
