"""How thinking and effort are said in a Chat Completions body; the profile names the dialect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from claude_code_proxy.core.conversation import ThinkingSettings
from claude_code_proxy.core.openai.effort import effort_for
from claude_code_proxy.core.providers.profile import Effort, Profile, clamp_effort
from claude_code_proxy.core.report import Report


def thinking_fields(
    settings: ThinkingSettings, profile: Profile, max_tokens: int, report: Report
) -> dict[str, Any]:
    """The body fields for `settings`; `max_tokens` is what a thinking budget must stay below."""
    return _DIALECTS[profile.thinking_switch](_Dialect(settings, profile, max_tokens, report))


class _Dialect:
    """One method per value of `Profile.thinking_switch`."""

    def __init__(self, settings: ThinkingSettings, profile: Profile, max_tokens: int, report: Report) -> None:
        self._settings = settings
        self._profile = profile
        self._max_tokens = max_tokens
        self._report = report

    def none(self) -> dict[str, Any]:
        if self._settings.asked:
            self._report.dropped("thinking_switch_dropped", "thinking", "the profile has no thinking switch")
        self._drop_effort()
        return {}

    def reasoning_effort(self) -> dict[str, Any]:
        if self._settings.on:
            return self._effort()
        accepted, quiet = self._profile.effort_values, not self._settings.asked
        if not accepted:
            reason = "no known effort turns thinking off"
            self._report.dropped("thinking_switch_dropped", "thinking", reason, quiet=quiet)
            return {}
        lowest = clamp_effort("none", accepted)
        if lowest != "none":
            reason = f"this model always thinks; the lowest effort is {lowest}"
            self._report.changed("thinking_not_off", "thinking", reason, quiet=quiet)
        return {"reasoning_effort": lowest}

    def thinking_type(self) -> dict[str, Any]:
        switch = dict(self._profile.thinking_on) if self._settings.on else {"type": "disabled"}
        return {"thinking": switch} | self._effort_beside_switch()

    def enable_thinking(self) -> dict[str, Any]:
        fields: dict[str, Any] = {"enable_thinking": self._settings.on}
        effort = self._effort_beside_switch()
        # Qwen refuses an effort and a budget in one request; the effort is the newer word.
        if not effort and self._settings.on and self._settings.budget is not None:
            fields["thinking_budget"] = self._budget(self._settings.budget)
        return fields | effort

    def chat_template_kwargs(self) -> dict[str, Any]:
        switch = {self._profile.thinking_key: self._settings.on}
        return {"chat_template_kwargs": switch} | self._effort_beside_switch()

    def openrouter(self) -> dict[str, Any]:
        settings = self._settings
        if not settings.on:
            return {"reasoning": {"enabled": False}}
        if settings.effort is not None:
            return {"reasoning": {"effort": self._clamped(settings.effort)}}
        if settings.budget is not None:
            return {"reasoning": {"max_tokens": self._budget(settings.budget)}}
        return {"reasoning": {"enabled": True}}

    def _effort_beside_switch(self) -> dict[str, Any]:
        """The effort for dialects whose switch is another field: only words that the profile lists."""
        if not self._profile.effort_values:
            self._drop_effort()
            return {}
        if not self._settings.on and self._profile.effort_needs_thinking:
            return {}
        return self._effort()

    def _drop_effort(self) -> None:
        if self._settings.effort is not None and self._settings.on:
            self._report.dropped("effort_dropped", "output_config.effort", "the profile has no effort scale")

    def _effort(self) -> dict[str, Any]:
        effort = effort_for(self._settings)
        return {} if effort is None else {"reasoning_effort": self._clamped(effort)}

    def _clamped(self, effort: Effort) -> Effort:
        accepted = self._profile.effort_values
        clamped = clamp_effort(effort, accepted) if accepted else effort
        if clamped != effort:
            self._report.changed(
                "effort_clamped", "output_config.effort", f"{effort} sent as {clamped}", quiet=True
            )
        return clamped

    def _budget(self, budget: int) -> int:
        if budget < self._max_tokens:
            return budget
        self._report.changed("budget_clamped", "thinking.budget_tokens", "must be below max_tokens")
        return max(self._max_tokens - 1, 0)


_DIALECTS: dict[str, Callable[[_Dialect], dict[str, Any]]] = {
    "none": _Dialect.none,
    "reasoning_effort": _Dialect.reasoning_effort,
    "thinking_type": _Dialect.thinking_type,
    "enable_thinking": _Dialect.enable_thinking,
    "chat_template_kwargs": _Dialect.chat_template_kwargs,
    "openrouter": _Dialect.openrouter,
}
