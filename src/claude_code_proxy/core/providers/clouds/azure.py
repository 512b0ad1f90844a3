"""Azure OpenAI and Microsoft Foundry."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import NativeProfile, Profile
from claude_code_proxy.core.providers.types import Provider

PROVIDER = Provider(
    name="azure",
    title="Azure OpenAI and Microsoft Foundry",
    aliases=("foundry",),
    api_base="https://RESOURCE.openai.azure.com/openai/v1",
    anthropic_base="https://RESOURCE.services.ai.azure.com/anthropic",
    key_variables=("AZURE_OPENAI_API_KEY", "ANTHROPIC_FOUNDRY_API_KEY"),
    docs="learn.microsoft.com/azure/ai-foundry/openai",
    note=(
        "`model_name` is the deployment. Name it after the model, or set the keys of its "
        "family yourself. Old api-versions refuse several fields. Claude is served at the native address. "
        "A token of Microsoft Entra may stand for the key."
    ),
    hosts=("openai.azure.com", "services.ai.azure.com"),
    profile=Profile(
        name="azure",
        auth="api-key",
        mid_system="keep",
        max_tokens_field="max_completion_tokens",
        schema_dialect="openai_strict",
        prompt_cache_key=True,
        evidence=(
            "docs: api-key header or a token of Entra as bearer, /openai/v1 without api-version, "
            "max_completion_tokens, prompt_cache_key; the deployment name picks the model family only when "
            "it is named after the model"
        ),
    ),
    native=NativeProfile(
        name="azure",
        auth="x-api-key_or_token",
        other_host=True,
        evidence=(
            "docs: Claude on Foundry in Messages format, a key as x-api-key or a token of Entra as bearer, "
            "no list of models; reports: the gateway's own errors are flat"
        ),
    ),
)
