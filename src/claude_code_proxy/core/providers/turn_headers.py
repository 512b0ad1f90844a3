"""Headers that say of a request whose turn it is and what is in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from claude_code_proxy.core.providers.profile import SentHeader
from claude_code_proxy.core.wire import objects_in


def sent_headers(rows: Sequence[SentHeader], request: Mapping[str, Any]) -> dict[str, str]:
    """Those of `rows` that are for the Messages request `request`, by name."""
    if not rows:
        return {}
    turns = objects_in(request.get("messages"))
    true = {"always", "user_turn" if _is_users(turns) else "agent_turn"}
    if any(block.get("type") == "image" for turn in turns for block in _blocks(turn, inside=True)):
        true.add("image")
    return {row.name: row.value for row in rows if row.when in true}


def _is_users(turns: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the last message is what the user said, and no result of a tool stands in it."""
    said = [turn for turn in turns if turn.get("role") != "system"]  # a reminder of the client's own
    if not said or said[-1].get("role") != "user":
        return False
    return all(block.get("type") != "tool_result" for block in _blocks(said[-1], inside=False))


def _blocks(turn: Mapping[str, Any], *, inside: bool) -> Iterator[Mapping[str, Any]]:
    """The blocks of a message, with `inside` those of its tool results too."""
    for block in objects_in(turn.get("content")):
        yield block
        if inside and block.get("type") == "tool_result":
            yield from _blocks(block, inside=False)
