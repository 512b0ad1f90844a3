"""Rows of the providers that serve models over the internet."""

from __future__ import annotations

from claude_code_proxy.core.profile import Profile

ROWS: tuple[Profile, ...] = (
    Profile(
        name="openai",
        system_role="developer",
        mid_system="keep",
        max_tokens_field="max_completion_tokens",
        temperature_range=None,
        pdf="file_part",
        send_user="safety_identifier",
        prompt_cache_key=True,
        service_tier=True,
        evidence="SPEC 6 (high)",
    ),
    Profile(
        name="deepseek",
        thinking_switch="thinking_type",
        effort_values=("high", "max"),
        reasoning_replay="reasoning_content",
        require_reasoning_on_tool_calls=True,
        vision=False,
        structured_output="json_object",
        evidence="SPEC 6 (high)",
    ),
)
