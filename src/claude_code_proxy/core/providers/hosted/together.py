"""Together."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.providers.types import Family, Provider

PROVIDER = Provider(
    name="together",
    title="Together",
    aliases=("togetherai",),
    api_base="https://api.together.ai/v1",
    key_variables=("TOGETHER_API_KEY",),
    docs="docs.together.ai",
    note="An overlong request is a 403 there.",
    hosts=("api.together.ai", "api.together.xyz"),
    profile=Profile(
        name="together",
        reasoning_replay="reasoning",
        evidence=(
            "restated: the answer's field is reasoning, effort only on some models; assumed: "
            "the same field is accepted back"
        ),
    ),
    families=(
        Family(
            "*glm-5.2*",
            {"thinking_switch": "reasoning_effort", "effort_values": ("high", "max")},
            "restated: high and max",
        ),
        Family(
            "*deepseek-v4-pro*",
            {"thinking_switch": "reasoning_effort", "effort_values": ("high", "max")},
            "restated: high and max",
        ),
    ),
)
