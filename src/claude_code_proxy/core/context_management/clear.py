"""What the edits clear in the `messages` of a request; these stay as they are, the edited ones are others.

All follows from the messages and the edit alone, so the same request becomes the same prompt, and what was
cleared stays cleared as the conversation grows: the provider's prompt cache keeps what comes before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from claude_code_proxy.core.context_management.edits import ClearToolUses
from claude_code_proxy.core.request.blocks import is_summary
from claude_code_proxy.core.request.fields import has_results, text_or_empty
from claude_code_proxy.core.request.server_tools import RESULT_SUFFIX
from claude_code_proxy.core.wire import list_at, type_of, value_at

PLACEHOLDER = "[cleared]"
"""What stands in the place of a tool result."""

_USES = ("tool_use", "server_tool_use", "mcp_tool_use")
_THINKING = ("thinking", "redacted_thinking")


class Cleared(NamedTuple):
    """Messages after an edit, and how many turns or tool uses it cleared."""

    messages: list[Any]
    number: int


class _Block(NamedTuple):
    """A block, which is `messages[message]["content"][place]`."""

    message: int
    place: int
    block: dict[str, Any]


class _Use(NamedTuple):
    call: _Block
    results: list[_Block]


def clear_thinking(messages: Sequence[Any], turns: int) -> Cleared:
    """`messages` without thinking but that of the last `turns` assistant turns that have any.

    A turn goes on while the user only answers tool calls, as the API counts turns.
    """
    thinking: list[list[int]] = []  # of each such turn, the messages that have it
    goes_on = False
    for index, message in enumerate(messages):
        blocks = list_at(message, "content")
        if any(map(is_summary, blocks)):
            thinking, goes_on = [], False
        if value_at(message, "role") == "user":
            goes_on = goes_on and has_results(blocks)
        elif any(type_of(block) in _THINKING for block in blocks):
            if not goes_on:
                thinking.append([])
            thinking[-1].append(index)
            goes_on = True
    old = thinking[: max(len(thinking) - turns, 0)]
    edited = list(messages)
    for index in (index for turn in old for index in turn):
        kept = [block for block in messages[index]["content"] if type_of(block) not in _THINKING]
        edited[index] = {**messages[index], "content": kept}
    return Cleared(edited, len(old))


def clear_tool_uses(messages: Sequence[Any], edit: ClearToolUses) -> Cleared:
    """`messages` with a placeholder for the results of old tool uses, whatever the edit's trigger.

    A result that the model has not seen yet stays, and one that loads tools, which would be gone without it.
    """
    uses = _uses(messages)
    seen = max(
        (i for i, message in enumerate(messages) if value_at(message, "role") == "assistant"), default=-1
    )
    changed: dict[int, list[Any]] = {}
    number = 0
    for call, results in uses[: max(len(uses) - edit.keep, 0)]:
        name = text_or_empty(call.block, "name")
        if name in edit.exclude or not _clearable(results, seen):
            continue
        number += 1
        for result in results:
            _change(messages, changed, result, "content", PLACEHOLDER)
        if edit.inputs is None or name in edit.inputs:
            _change(messages, changed, call, "input", {})
    edited = [
        {**message, "content": changed[index]} if index in changed else message
        for index, message in enumerate(messages)
    ]
    return Cleared(edited, number)


def tool_uses(messages: Sequence[Any]) -> int:
    """How many tool uses there are."""
    return len(_uses(messages))


def _uses(messages: Sequence[Any]) -> list[_Use]:
    """The tool uses after the last summary, in order."""
    found: list[_Use] = []
    by_id: dict[str, _Use] = {}
    for index, message in enumerate(messages):
        for place, block in enumerate(list_at(message, "content")):
            kind = type_of(block)
            if is_summary(block):
                found, by_id = [], {}
            elif kind in _USES:
                use = by_id[text_or_empty(block, "id")] = _Use(_Block(index, place, block), [])
                found.append(use)
            elif kind == "tool_result" or kind.endswith(RESULT_SUFFIX):
                answered = by_id.get(text_or_empty(block, "tool_use_id"))
                if answered is not None:
                    answered.results.append(_Block(index, place, block))
    return found


def _clearable(results: Sequence[_Block], seen: int) -> bool:
    contents = [result.block.get("content") for result in results]
    return (
        any(content and content != PLACEHOLDER for content in contents)
        and all(result.message <= seen for result in results)
        and not any(map(_loads_tools, contents))
    )


def _loads_tools(content: Any) -> bool:
    if isinstance(content, dict):  # of a server's search for tools
        return "tool_references" in content
    return isinstance(content, list) and any(type_of(block) == "tool_reference" for block in content)


def _change(
    messages: Sequence[Any], changed: dict[int, list[Any]], at: _Block, field: str, value: Any
) -> None:
    content = changed.setdefault(at.message, list(messages[at.message]["content"]))
    content[at.place] = {**content[at.place], field: value}
