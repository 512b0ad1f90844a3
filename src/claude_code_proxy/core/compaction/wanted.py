"""Whether a request asks for compaction, in either of the two forms that the Messages API has.

`context_management.edits` with `compact_20260112` (beta `compact-2026-01-12`): once the prompt reaches a
threshold. `compaction: {"type": "summarize"}` (beta `compact-2026-09-04`): now, and nothing else. Both as
Anthropic's documentation and the types of its SDK 2.14 give them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from claude_code_proxy.core.context_management.edits import COMPACT, Compact, read_edits
from claude_code_proxy.core.errors.api import ApiError, invalid_request
from claude_code_proxy.core.request.blocks import is_summary
from claude_code_proxy.core.request.fields import kind_of
from claude_code_proxy.core.wire import list_at, object_at, objects_in, type_of, value_at


class Wanted(NamedTuple):
    """A summary is wanted once the prompt has `trigger` tokens; None: now, in place of an answer.

    `instructions` take the place of ours, "" for none. `pauses`: the summary is all the client gets then.
    """

    instructions: str = ""
    trigger: int | None = None
    pauses: bool = False


def wanted(request: dict[str, Any]) -> Wanted | None:
    """What `request` asks for, if anything. Raises `ApiError` 400 for what cannot be meant."""
    compaction = object_at(request, "compaction")
    if compaction.get("type") == "summarize":
        return _at_once(request, compaction)
    if not _has_edit(request):
        return None
    edit = next(edit for edit in read_edits(request) or () if isinstance(edit, Compact))
    return Wanted((edit.instructions or "").strip(), edit.trigger, edit.pause)


def without(request: dict[str, Any]) -> dict[str, Any]:
    """`request` without asking for compaction; other edits of the context stay."""
    rest = {key: value for key, value in request.items() if key != "compaction"}
    if _has_edit(request):
        management = rest["context_management"]
        edits = [edit for edit in management["edits"] if not _is_edit(edit)]
        rest["context_management"] = {**management, "edits": edits}
    return rest


def has_news(messages: Any) -> bool:
    """Whether anything was said since the last summary, which else would only be summarized again."""
    for message in reversed(list_at(messages)):
        content = value_at(message, "content")
        blocks = content if isinstance(content, list) else [content]
        for block in reversed(blocks):
            if is_summary(block):
                return False
            if block:
                return True
    return False


def _has_edit(request: dict[str, Any]) -> bool:
    return any(map(_is_edit, list_at(request, "context_management", "edits")))


def _is_edit(edit: Any) -> bool:
    return type_of(edit) == COMPACT


def _at_once(request: dict[str, Any], compaction: dict[str, Any]) -> Wanted:
    if request.get("context_management") is not None:
        raise invalid_request("compaction: cannot be combined with context_management")
    messages = objects_in(request.get("messages"))
    spoken = [message for message in messages if message.get("role") in ("user", "assistant")]
    if not any(message.get("content") for message in spoken):
        raise _refused("compaction_nothing_to_summarize", "there is nothing to summarize")
    if spoken[-1].get("role") == "assistant" and _calls(spoken[-1]):
        raise _refused("compaction_incomplete_turn", "the last turn has tool calls without results")
    instructions = compaction.get("instructions")
    if instructions is not None and not isinstance(instructions, str):
        raise invalid_request(f"compaction.instructions: must be a string, found {kind_of(instructions)}")
    return Wanted((instructions or "").strip())


def _refused(code: str, why: str) -> ApiError:
    return ApiError(400, "invalid_request_error", f"messages: {why}", details={"error_code": code})


def _calls(message: dict[str, Any]) -> bool:
    return any(type_of(block) == "tool_use" for block in list_at(message, "content"))
