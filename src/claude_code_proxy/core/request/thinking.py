"""Thinking and effort: what the client asks for, and what the profile forces."""

from __future__ import annotations

from typing import Any

from claude_code_proxy.core.conversation import ThinkingSettings
from claude_code_proxy.core.errors.api import invalid_request
from claude_code_proxy.core.providers.profile import EFFORTS, Effort, Profile
from claude_code_proxy.core.report import Report
from claude_code_proxy.core.request.fields import whole_or_none

_FIELDS = frozenset({"type", "budget_tokens", "display", "block_binding"})
_EFFORTS: dict[str | None, Effort] = {word: word for word in EFFORTS}
_DISPLAYS = ("summarized", "omitted", "updates")
"""How the client wants to see thinking. `updates` is for clients that show its progress: ours is streamed."""


def read_thinking(
    thinking: dict[str, Any] | None, effort: Any, profile: Profile, report: Report
) -> ThinkingSettings:
    """The settings of one request from its `thinking` object and its `effort` word.

    Without `thinking` it is off: Claude Code's title and classifier requests leave it out and set limits
    that only suit an answer without reasoning. An unknown thinking type counts as on: the client knows a
    newer one. Raises `ApiError` 400 for a thinking type or an effort that is no string.
    """
    on = False
    budget: int | None = None
    hide_text = False
    if thinking is not None:
        kind = thinking.get("type")
        if not isinstance(kind, str):
            raise invalid_request("thinking.type: must be enabled, adaptive, between_tools or disabled")
        on = kind != "disabled"
        budget = whole_or_none(thinking, "budget_tokens", "thinking.budget_tokens") if on else None
        hide_text = thinking.get("display") == "omitted"
        _report_unmet(thinking, report)
    if effort is not None and not isinstance(effort, str):
        raise invalid_request("output_config.effort: must be a string such as low, medium or high")
    known = _EFFORTS.get(effort)
    client_on = on
    if profile.thinking is not None:
        on = profile.thinking
    return ThinkingSettings(on, profile.effort or known, budget, thinking is not None, client_on, hide_text)


def _report_unmet(thinking: dict[str, Any], report: Report) -> None:
    display = thinking.get("display")
    if display is not None and display not in _DISPLAYS:
        report.dropped("thinking_display", "thinking.display", "the word is unknown: thinking is shown whole")
    if thinking.get("block_binding"):
        report.dropped(
            "thinking_field",
            "thinking.block_binding",
            "thinking of other providers is not bound to its place",
        )
    if not _FIELDS.issuperset(thinking):
        for field in thinking.keys() - _FIELDS:
            report.dropped("thinking_field", f"thinking.{field[:80]}", "the field is unknown")
