"""What a correction teaches about a model: profile fields for its next requests.

A lesson is what a person would write into models.yaml after reading the refusal, so it is kept, shown and
exported in exactly those terms. What helps one request only teaches nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from claude_code_proxy.core.errors.overflow import MIN_OUTPUT_TOKENS
from claude_code_proxy.core.providers.profile import Profile

_FOR_GOOD: dict[str, Mapping[str, Any]] = {
    "stop": {"stop_max": 0},
    "parallel_tool_calls": {"parallel_param": False},
    "thinking": {"thinking_switch": "none"},
    "enable_thinking": {"thinking_switch": "none"},
    "chat_template_kwargs": {"thinking_switch": "none"},
    "user": {"send_user": "none"},
    "safety_identifier": {"send_user": "none"},
    "prompt_cache_key": {"prompt_cache_key": False},
    "stream_options": {"stream_usage": False},
}
"""Parameters that a profile field turns off; any other goes into `drop_params`."""
_WHILE_THINKING = re.compile(r"thinking|reasoning", re.IGNORECASE)


_OF_THE_API = frozenset(
    {
        "max_tokens_field", "schema_dialect", "tool_name_start", "structured_output", "structured_with_tools",
        "tool_choice_support", "tool_choice_thinking", "parallel_param", "stop_max", "send_user",
        "prompt_cache_key", "stream_usage",
        "drop_params", "effort_values", "thinking_switch",
    }
)  # fmt: skip
_OF_AN_ACCOUNT = re.compile(
    r"\b(?:account|organi[sz]ation|org|plan|tier|subscription|quota|verif\w+|permission|billing|credits?|free"
    r"|paid|upgrade|your|workspace|project|region|api key|entitle\w+)\b|\u8d26\u6237|\u5957\u9910",
    re.IGNORECASE,
)


def is_of_the_api(field: str, reason: str) -> bool:
    """Whether a lesson's `field`, learned for `reason`, says nothing of the account that learned it."""
    return field in _OF_THE_API and not _OF_AN_ACCOUNT.search(reason)


def of_limit(limit: int) -> dict[str, Any]:
    """From an output limit that the upstream named, in tokens; one too small to work with is not believed."""
    return {"max_output": limit} if limit >= MIN_OUTPUT_TOKENS else {}


def of_window(window: int, profile: Profile) -> dict[str, Any]:
    """From a context window that the upstream named, in tokens, where none was known."""
    return {"context_window": window} if profile.context_window is None else {}


def of_refused(parameter: str, profile: Profile) -> dict[str, Any]:
    """From a parameter that the upstream does not take."""
    if parameter == "reasoning_effort":
        is_switch = profile.thinking_switch == "reasoning_effort"
        return {"thinking_switch": "none"} if is_switch else {"effort_values": ()}
    if parameter in _FOR_GOOD:
        return dict(_FOR_GOOD[parameter])
    return {"drop_params": (*profile.drop_params, parameter)}


def of_tool_choice(choice: str, message: str) -> dict[str, Any]:
    """From a refused forced choice; `choice` is what is sent instead, `message` the upstream's words."""
    support = "no_named" if choice == "required" else "auto_none"
    field = "tool_choice_thinking" if _WHILE_THINKING.search(message) else "tool_choice_support"
    return {field: support}
