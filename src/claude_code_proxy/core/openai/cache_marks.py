"""The client's cache marks, in the form in which the provider takes them."""

from __future__ import annotations

from typing import Any

from claude_code_proxy.core.conversation import CacheMark
from claude_code_proxy.core.providers.profile import Profile

_MOST_BREAKPOINTS = 4  # of OpenAI's prompt_cache_breakpoint per request


class CacheMarks:
    """The marks of one request. `kept` is false where the provider has none."""

    def __init__(self, profile: Profile) -> None:
        self.kept = profile.cache_control != "strip"
        self._breakpoints = profile.cache_control == "openai_breakpoint"
        self._marked: list[dict[str, Any]] = []

    def put(self, part: dict[str, Any], mark: CacheMark) -> None:
        """Mark a content part."""
        if self._breakpoints:
            part["prompt_cache_breakpoint"] = {"mode": "explicit"}
            self._marked.append(part)
        else:
            part["cache_control"] = (
                {"type": "ephemeral"} if mark == "5m" else {"type": "ephemeral", "ttl": mark}
            )

    def settle(self) -> None:
        """All parts are written: take back the marks beyond what the provider allows, the oldest first."""
        for part in self._marked[:-_MOST_BREAKPOINTS]:
            del part["prompt_cache_breakpoint"]
