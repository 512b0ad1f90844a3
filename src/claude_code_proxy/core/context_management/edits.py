"""`context_management.edits` of a request, read into typed edits.

Shapes, defaults and the order of edits are those of the API reference (betas `context-management-2025-06-27`
and `compact-2026-01-12`).
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from msgspec import Struct

from claude_code_proxy.core.errors.api import invalid_request
from claude_code_proxy.core.request.fields import kind_of, list_or_none, object_or_none, whole_or_none

CLEAR_THINKING = "clear_thinking_20251015"
CLEAR_TOOL_USES = "clear_tool_uses_20250919"
COMPACT = "compact_20260112"

_MOST_EDITS = 10  # each may have the request converted once more
_USUAL_TURNS = 1
_USUAL_COMPACT_TRIGGER = 150_000
_LEAST_COMPACT_TRIGGER = 50_000  # the API refuses a smaller one


class ClearThinking(Struct, frozen=True, kw_only=True):
    """Clear the thinking of all but the last `turns` assistant turns that have any; None: of none."""

    path: str
    turns: int | None = _USUAL_TURNS
    type: str = CLEAR_THINKING


class ClearToolUses(Struct, frozen=True, kw_only=True):
    """Clear the results of all but the last `keep` tool uses, once the prompt exceeds the trigger.

    `trigger_kind` says what `trigger` counts: tokens of the prompt or tool uses in it. Nothing is cleared
    unless it saves `at_least` so many tokens. Uses of the tools in `exclude` stay. `inputs`: the names of the
    tools whose inputs are cleared too, None: of all.
    """

    path: str
    trigger_kind: Literal["input_tokens", "tool_uses"] = "input_tokens"
    trigger: int = 100_000
    keep: int = 3
    at_least: int = 0
    exclude: frozenset[str] = frozenset()
    inputs: frozenset[str] | None = frozenset()
    type: str = CLEAR_TOOL_USES


class Compact(Struct, frozen=True, kw_only=True):
    """Have the conversation summarized once the prompt exceeds `trigger` tokens.

    `instructions` stand for the usual ones, None: those. `pause`: the answer ends with the summary.
    """

    path: str
    trigger: int = _USUAL_COMPACT_TRIGGER
    instructions: str | None = None
    pause: bool = False
    type: str = COMPACT


class UnknownEdit(Struct, frozen=True, kw_only=True):
    """An edit of a type that is not known here."""

    path: str
    type: str


Edit: TypeAlias = ClearThinking | ClearToolUses | Compact | UnknownEdit


def read_edits(request: Any) -> tuple[Edit, ...] | None:
    """The edits of a Messages request, in its order; None where it has no `context_management`.

    Takes any JSON value. Raises `ApiError` 400, whose message starts with the JSON path.
    """
    if not isinstance(request, dict) or request.get("context_management") is None:
        return None
    management = object_or_none(request, "context_management", "context_management") or {}
    asked = list_or_none(management, "edits", "context_management.edits") or []
    if len(asked) > _MOST_EDITS:
        raise invalid_request(f"context_management.edits: must have at most {_MOST_EDITS} edits")
    edits: list[Edit] = []
    for index, edit in enumerate(asked):
        path = f"context_management.edits.{index}"
        if not isinstance(edit, dict):
            raise invalid_request(f"{path}: must be an object, found {kind_of(edit)}")
        match edit.get("type"):
            case "clear_thinking_20251015":
                if index:
                    raise invalid_request(
                        f"context_management: `{CLEAR_THINKING}` must be the first strategy in"
                        " `context_management.edits` when provided"
                    )
                edits.append(ClearThinking(path=path, turns=_turns(edit, path)))
            case "clear_tool_uses_20250919":
                edits.append(_clear_tool_uses(edit, path))
            case "compact_20260112":
                edits.append(_compact(edit, path))
            case str(kind):
                edits.append(UnknownEdit(path=path, type=kind))
            case kind:
                raise invalid_request(f"{path}.type: must be a string, found {kind_of(kind)}")
    return tuple(edits)


def _turns(edit: dict[str, Any], path: str) -> int | None:
    if edit.get("keep") == "all":
        return None
    keep = object_or_none(edit, "keep", f"{path}.keep")
    if keep is None:
        return _USUAL_TURNS
    if _kind(keep, f"{path}.keep", "thinking_turns", "all") == "all":
        return None
    return _value(keep, f"{path}.keep")


def _clear_tool_uses(edit: dict[str, Any], path: str) -> ClearToolUses:
    given: dict[str, Any] = {}
    if (trigger := object_or_none(edit, "trigger", f"{path}.trigger")) is not None:
        given["trigger_kind"] = _kind(trigger, f"{path}.trigger", "input_tokens", "tool_uses")
        given["trigger"] = _value(trigger, f"{path}.trigger", least=1)
    if (keep := object_or_none(edit, "keep", f"{path}.keep")) is not None:
        _kind(keep, f"{path}.keep", "tool_uses")
        given["keep"] = _value(keep, f"{path}.keep")
    if (least := object_or_none(edit, "clear_at_least", f"{path}.clear_at_least")) is not None:
        _kind(least, f"{path}.clear_at_least", "input_tokens")
        given["at_least"] = _value(least, f"{path}.clear_at_least")
    match edit.get("clear_tool_inputs"):
        case True:
            given["inputs"] = None
        case False:
            pass
        case _:
            given["inputs"] = _names(edit, "clear_tool_inputs", path)
    return ClearToolUses(path=path, exclude=_names(edit, "exclude_tools", path), **given)


def _compact(edit: dict[str, Any], path: str) -> Compact:
    trigger = _USUAL_COMPACT_TRIGGER
    if (asked := object_or_none(edit, "trigger", f"{path}.trigger")) is not None:
        _kind(asked, f"{path}.trigger", "input_tokens")
        trigger = _value(asked, f"{path}.trigger", least=_LEAST_COMPACT_TRIGGER)
    instructions, pause = edit.get("instructions"), edit.get("pause_after_compaction")
    if instructions is not None and not isinstance(instructions, str):
        raise invalid_request(f"{path}.instructions: must be a string, found {kind_of(instructions)}")
    if pause is not None and not isinstance(pause, bool):
        raise invalid_request(f"{path}.pause_after_compaction: must be true or false, found {kind_of(pause)}")
    return Compact(path=path, trigger=trigger, instructions=instructions, pause=pause is True)


def _kind(owner: dict[str, Any], path: str, *kinds: str) -> str:
    kind = owner.get("type")
    if kind not in kinds:
        raise invalid_request(f"{path}.type: must be {' or '.join(kinds)}")
    return str(kind)


def _value(owner: dict[str, Any], path: str, least: int = 0) -> int:
    value = whole_or_none(owner, "value", f"{path}.value")
    if value is None or value < least:
        raise invalid_request(f"{path}.value: must be a whole number of at least {least}")
    return value


def _names(edit: dict[str, Any], key: str, path: str) -> frozenset[str]:
    names = list_or_none(edit, key, f"{path}.{key}") or []
    for index, name in enumerate(names):
        if not isinstance(name, str):
            raise invalid_request(f"{path}.{key}.{index}: must be a string, found {kind_of(name)}")
    return frozenset(names)
