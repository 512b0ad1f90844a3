"""Whether the model will think, and how hard: thinking settings on the upstream's scale."""

from __future__ import annotations

from claude_code_proxy.core.conversation import ThinkingSettings
from claude_code_proxy.core.providers.profile import Effort, Profile

_BUDGETS: tuple[tuple[int, Effort], ...] = ((4096, "low"), (16384, "medium"), (32768, "high"))
"""Budgets in tokens below which an effort stands for them."""


def thinks(settings: ThinkingSettings, profile: Profile) -> bool:
    """Whether the model will think, as far as the profile knows."""
    if settings.on:
        return True
    can_turn_off = profile.thinking_switch != "none" and (
        profile.thinking_switch != "reasoning_effort" or "none" in profile.effort_values
    )
    return profile.thinking_default and not can_turn_off


def effort_for(settings: ThinkingSettings) -> Effort | None:
    """The effort asked for, by word or else by budget."""
    if settings.effort is not None or settings.budget is None:
        return settings.effort
    for limit, effort in _BUDGETS:
        if settings.budget < limit:
            return effort
    return "xhigh"
