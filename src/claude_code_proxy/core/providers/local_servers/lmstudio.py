"""LM Studio."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import NativeProfile, Profile
from claude_code_proxy.core.providers.types import Provider

PROVIDER = Provider(
    name="lmstudio",
    title="LM Studio",
    aliases=("lm-studio",),
    start="lms server start",
    loaded="/api/v0/models",
    api_base="http://127.0.0.1:1234/v1",
    anthropic_base="http://127.0.0.1:1234",
    docs="lmstudio.ai/docs",
    note="Load the model with a context of more than 25,000 tokens.",
    port=1234,
    profile=Profile(
        name="lmstudio",
        schema_dialect="gbnf",
        tool_choice_support="no_named",
        evidence=(
            "general knowledge, not re-checked: tool_choice only as a word, response_format "
            "only json_schema; reports: llama.cpp's grammar errors, later system messages refused by "
            "chat templates"
        ),
    ),
    native=NativeProfile(
        name="lmstudio",
        mid_system="user_wrap",
        evidence="one report: role system refused by the standalone server; docs: both key headers",
    ),
)
