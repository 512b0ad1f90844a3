"""A model that makes the same tool call again and again: to be noticed, never to be changed."""

from __future__ import annotations

from typing import Any, NamedTuple

from claude_code_proxy.core.auto_mode.tool_uses import calls_of
from claude_code_proxy.core.request.fields import only_results

ENOUGH = 3
"""Times in a row from which it is worth a word."""
_MOST = 100


class Repeated(NamedTuple):
    """The last `times` turns of the model made the same call of the tool `name`, or the same calls."""

    name: str
    times: int


def repeated_call(messages: Any) -> Repeated | None:
    """The call that the model repeats, by name and input, with nothing but results in between.

    Only the last hundred turns count. Takes any object without failing.
    """
    last: list[tuple[str, Any]] = []
    times = 0
    for message in reversed(messages) if isinstance(messages, list) else ():
        role = message.get("role") if isinstance(message, dict) else None
        if role == "assistant":
            calls = [(call.name, call.input) for call in calls_of(message.get("content"))]
            if not calls or (last and calls != last) or times == _MOST:
                break
            last, times = calls, times + 1
        elif role == "user" and not only_results(message.get("content")):
            break
    return Repeated(last[0][0], times) if times >= ENOUGH else None
