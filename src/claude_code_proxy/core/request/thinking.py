"""Thinking and effort: what the client asks, what the profile forces, what the upstream's scale offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from claude_code_proxy.core.conversation import ThinkingSettings
from claude_code_proxy.core.errors.api import invalid_request
from claude_code_proxy.core.providers.profile import EFFORTS
from claude_code_proxy.core.request.fields import whole_or_none

if TYPE_CHECKING:
    from collections.abc import Sequence

    from claude_code_proxy.core.providers.profile import Effort, Profile

_BUDGETS: tuple[tuple[int, Effort], ...] = ((4096, "low"), (16384, "medium"), (32768, "high"))
"""Budgets in tokens below which an effort stands for them."""


def read_thinking(thinking: dict[str, Any] | None, effort: Any, profile: Profile) -> ThinkingSettings:
    """The settings of one request from its `thinking` object and its `effort` word.

    Raises `ApiError` 400 for a thinking type or an effort that is no string. An unknown thinking type
    counts as on: the client knows a newer one.
    """
    on: bool | None = None
    budget: int | None = None
    hide_text = False
    if thinking is not None:
        kind = thinking.get("type")
        if not isinstance(kind, str):
            raise invalid_request("thinking.type: must be enabled, adaptive, between_tools or disabled")
        on = kind != "disabled"
        budget = whole_or_none(thinking, "budget_tokens", "thinking.budget_tokens") if on else None
        hide_text = thinking.get("display") == "omitted"
    if effort is not None and not isinstance(effort, str):
        raise invalid_request("output_config.effort: must be a string such as low, medium or high")
    known = next((word for word in EFFORTS if word == effort), None)
    client_on = on is True
    if profile.thinking is not None:
        on = profile.thinking
    return ThinkingSettings(on, profile.effort or known, budget, client_on, hide_text)


def thinks(settings: ThinkingSettings, profile: Profile) -> bool:
    """Whether the model will think, as far as the profile knows."""
    if settings.on is None:
        return profile.thinking_default
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


def clamp_effort(effort: Effort, accepted: Sequence[Effort]) -> Effort:
    """`effort` on the scale `accepted` (ascending, not empty): itself, the next lower, or the lowest.

    A wish to think is never lowered to `none`: that would turn thinking off.
    """
    if effort in accepted:
        return effort
    rank = EFFORTS.index(effort)
    thinking: Sequence[Effort] = [word for word in accepted if word != "none"] or accepted
    lower = [word for word in thinking if EFFORTS.index(word) < rank]
    return lower[-1] if lower else thinking[0]
