"""DeepSeek."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import NativeProfile, Profile
from claude_code_proxy.core.providers.types import Family, Limit, Provider

PROVIDER = Provider(
    name="deepseek",
    title="DeepSeek",
    api_base="https://api.deepseek.com",
    anthropic_base="https://api.deepseek.com/anthropic",
    key_variables=("DEEPSEEK_API_KEY",),
    models=("deepseek-v4-pro", "deepseek-flash"),
    docs="api-docs.deepseek.com",
    note=("The reasoning of every earlier tool turn goes back by itself. Only the flash models take images."),
    hosts=("api.deepseek.com",),
    model_prefixes=("deepseek-",),
    profile=Profile(
        name="deepseek",
        sampling_with_thinking=False,
        stop_max=16,
        thinking_switch="thinking_type",
        thinking_default=True,
        # The vendor folds the words it does not have itself (medium -> high, xhigh -> high).
        effort_values=("low", "medium", "high", "xhigh", "max"),
        reasoning_replay="reasoning_content",
        require_reasoning_on_tool_calls=True,
        vision=False,
        tool_choice_thinking="auto_none",
        parallel_param=False,
        structured_output="json_object",
        evidence=(
            "docs: thinking on by default, effort words, reasoning of every earlier tool turn"
            " must come back (else 400), sampling without effect while thinking; reports: "
            "forced tool choice refused while thinking, trailing system messages answered "
            "with nothing; restated: 16 stops, JSON mode only"
        ),
    ),
    native=NativeProfile(
        name="deepseek",
        mid_system="user_wrap",
        evidence=(
            "docs: unknown betas and fields are ignored, both key headers work; reports of "
            "May and June 2026: role system refused, then accepted, but a trailing one was "
            "answered with nothing"
        ),
    ),
    families=(
        Family("*flash*", {"vision": True}, "docs: flash takes images, pro does not"),
        Family("*vision*", {"vision": True}, "docs: served by flash"),
    ),
    limits=(Limit("deepseek-*", 1_048_576, 393_216, "docs: pricing page"),),
)
