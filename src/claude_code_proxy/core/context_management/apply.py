"""The edits of a request, applied one after the other before the model reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from claude_code_proxy.core.context_management.clear import (
    Cleared,
    clear_thinking,
    clear_tool_uses,
    tool_uses,
)
from claude_code_proxy.core.context_management.edits import (
    CLEAR_THINKING,
    CLEAR_TOOL_USES,
    ClearThinking,
    ClearToolUses,
    Edit,
)
from claude_code_proxy.core.report import Report

T = TypeVar("T")

_COUNTED = {CLEAR_THINKING: "cleared_thinking_turns", CLEAR_TOOL_USES: "cleared_tool_uses"}
"""The fields of `applied_edits` that say how much was cleared."""


def apply_edits(
    request: dict[str, Any],
    edits: Iterable[Edit],
    converted: T,
    *,
    convert: Callable[[dict[str, Any]], T],
    tokens: Callable[[T], int],
    clears: bool,
    report: Report,
) -> tuple[T, list[dict[str, Any]]]:
    """What `converted` becomes, of which `request` was, and the `applied_edits` of the response.

    `convert` makes it of a request and `tokens` counts its prompt, which must follow from the request alone.
    The request itself is not changed. Unless it `clears`, nothing is done. `report` gets what was cleared,
    and what was not done.
    """
    applied: list[dict[str, Any]] = []
    for edit in edits:
        if not isinstance(edit, ClearThinking | ClearToolUses):
            report.dropped("context_edit", edit.path, "the provider does not edit its context")
            continue
        if isinstance(edit, ClearThinking) and edit.turns is None:
            continue
        if not clears:
            report.dropped("context_edit", edit.path, "`context_editing` is off for this model", quiet=True)
            continue
        cleared = _cleared(request["messages"], edit, converted, tokens)
        if not cleared.number:
            continue
        edited = {**request, "messages": cleared.messages}
        shorter = convert(edited)
        saved = max(tokens(converted) - tokens(shorter), 0)
        if isinstance(edit, ClearToolUses) and saved < edit.at_least:
            continue
        request, converted = edited, shorter
        counted = _COUNTED[edit.type]
        applied.append({"type": edit.type, counted: cleared.number, "cleared_input_tokens": saved})
        report.emulated("context_edited", edit.path, f"{counted}: {cleared.number}, about {saved} tokens")
    return converted, applied


def _cleared(
    messages: Sequence[Any], edit: ClearThinking | ClearToolUses, converted: T, tokens: Callable[[T], int]
) -> Cleared:
    """The messages after `edit`, if it is triggered."""
    if isinstance(edit, ClearThinking):
        return clear_thinking(messages, edit.turns or 0)
    size = tokens(converted) if edit.trigger_kind == "input_tokens" else tool_uses(messages)
    return clear_tool_uses(messages, edit) if size > edit.trigger else Cleared([], 0)
