"""Cerebras."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.providers.types import Family, Limit, Provider

PROVIDER = Provider(
    name="cerebras",
    title="Cerebras",
    api_base="https://api.cerebras.ai/v1",
    key_variables=("CEREBRAS_API_KEY",),
    models=("zai-glm-4.7", "gpt-oss-120b"),
    docs="inference-docs.cerebras.ai",
    note="The output limit that a request asks for counts against the tokens per minute.",
    hosts=("api.cerebras.ai",),
    profile=Profile(
        name="cerebras",
        max_tokens_field="max_completion_tokens",
        reasoning_replay="reasoning",
        vision=False,
        evidence=(
            "recorded: Bearer key, the field reasoning in answers and taken back in the history, tool choice "
            "auto; one registry: efforts and limits per model; restated: penalties and service_tier are a "
            "400; general knowledge: max_completion_tokens; assumed: text only"
        ),
    ),
    families=(
        Family(
            "*gpt-oss*",
            {
                "thinking_switch": "reasoning_effort",
                "effort_values": ("low", "medium", "high"),
                "thinking_default": True,
            },
            "one registry: low, medium, high only",
        ),
        Family(
            "zai-glm*",
            {
                "thinking_switch": "reasoning_effort",
                "effort_values": ("none", "low", "medium", "high"),
                "thinking_default": True,
            },
            "one registry: none switches it off; assumed: the other levels",
        ),
    ),
    limits=(
        Limit("gpt-oss-120b*", 131_072, 40_960, "one registry; the model's own window"),
        Limit("zai-glm-4.7*", 131_072, 40_960, "one registry"),
    ),
)
