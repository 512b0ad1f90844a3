"""OpenAI."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.providers.types import Family, Provider

PROVIDER = Provider(
    name="openai",
    title="OpenAI",
    aliases=("chatgpt", "gpt"),
    api_base="https://api.openai.com/v1",
    key_variables=("OPENAI_API_KEY",),
    models=("gpt-6.2-sol", "gpt-5.6", "gpt-4.1"),
    docs="developers.openai.com/api/docs",
    note=(
        "From gpt-5.4 on tools and reasoning go together only on the Responses API, so the profile picks it."
    ),
    hosts=("api.openai.com",),
    model_prefixes=("gpt-3.5-", "gpt-4", "gpt-5", "gpt-6", "o1", "o3", "o4-"),
    profile=Profile(
        name="openai",
        mid_system="keep",
        max_tokens_field="max_completion_tokens",
        pdf="file_part",
        schema_dialect="openai_strict",
        send_user="safety_identifier",
        prompt_cache_key=True,
        service_tier=True,
        evidence=(
            "docs: prompt_cache_key, safety_identifier, strict schemas; reports: max_tokens "
            "refused by reasoning models while every model takes max_completion_tokens"
        ),
    ),
    families=(
        Family("o[1-9]*", {"system_role": "developer"}, "general knowledge: the role they prefer"),
        Family("gpt-[5-9]*", {"system_role": "developer"}, "general knowledge: the role they prefer"),
    ),
)
