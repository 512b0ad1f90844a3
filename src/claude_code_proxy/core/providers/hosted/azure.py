"""Azure OpenAI."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.providers.types import Provider

PROVIDER = Provider(
    name="azure",
    title="Azure OpenAI",
    api_base="https://RESOURCE.openai.azure.com/openai/v1",
    key_variables=("AZURE_OPENAI_API_KEY",),
    docs="learn.microsoft.com/azure/ai-foundry/openai",
    note=(
        "`model_name` is the deployment. Name it after the model, or set the keys of its "
        "family yourself. Old api-versions refuse several fields."
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
            "docs: api-key header, /openai/v1 without api-version, max_completion_tokens, "
            "prompt_cache_key; the deployment name picks the model family only when it is "
            "named after the model"
        ),
    ),
)
