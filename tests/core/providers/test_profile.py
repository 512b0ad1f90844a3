from __future__ import annotations

from typing import Any

import pytest

from claude_code_proxy.core.providers.profile import EFFORT_LEVELS, Profile


@pytest.mark.parametrize(
    ("keys", "levels"),
    [
        ({"thinking_switch": "none", "effort_values": ("low",)}, ()),
        ({"thinking_switch": "reasoning_effort", "effort": "low"}, ()),
        ({"thinking_switch": "reasoning_effort"}, EFFORT_LEVELS),
        ({"thinking_switch": "openrouter"}, EFFORT_LEVELS),
        ({"thinking_switch": "thinking_type"}, ()),
        ({"thinking_switch": "enable_thinking", "effort_values": ("high", "max")}, ("high", "max")),
        ({"thinking_switch": "reasoning_effort", "effort_values": ("low", "high")}, ("low", "high")),
    ],
)
def test_effort_levels(keys: dict[str, Any], levels: tuple[str, ...]) -> None:
    assert Profile(**keys).effort_levels == levels
