"""What a conversation changed about its tools, which a summary in its place must not undo."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from claude_code_proxy.core.wire import objects_in


def tool_changes(request: dict[str, Any]) -> list[dict[str, Any]]:
    """The `tool_addition` and `tool_removal` blocks that lead from `tools` to the tools of now.

    A deferred tool that was found or called counts as added. Takes any object without failing.
    """
    deferred = {
        tool["name"]
        for tool in objects_in(request.get("tools"))
        if tool.get("defer_loading") is True and isinstance(tool.get("name"), str)
    }
    last: dict[str, dict[str, Any]] = {}
    defined: dict[str, dict[str, Any]] = {}
    for message in objects_in(request.get("messages")):
        for kind, tool in _changes(message, deferred):
            definition = tool.get("definition")
            name = definition.get("name") if isinstance(definition, dict) else tool.get("name")
            if not isinstance(name, str):
                continue
            if isinstance(definition, dict):
                defined[name] = tool
            last.pop(name, None)  # the order is that of the last changes
            last[name] = {"type": kind, "tool": defined.get(name, tool) if kind == "tool_addition" else tool}
    return list(last.values())


def _changes(message: dict[str, Any], deferred: set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    is_system = message.get("role") == "system"
    for block in objects_in(message.get("content")):
        match block:
            case {"type": "tool_addition" | "tool_removal" as kind, "tool": dict(tool)} if is_system:
                yield kind, tool
            case {"type": "compaction"}:
                for change in objects_in(block.get("tool_changes")):
                    if isinstance(change.get("tool"), dict) and isinstance(change.get("type"), str):
                        yield change["type"], change["tool"]
            case {"type": "tool_use", "name": str(name)} if name in deferred:
                yield "tool_addition", _reference(name)
            case {"type": "tool_result"}:
                for part in objects_in(block.get("content")):
                    if part.get("type") == "tool_reference" and part.get("tool_name") in deferred:
                        yield "tool_addition", _reference(part["tool_name"])
            case _:
                pass


def _reference(name: str) -> dict[str, Any]:
    return {"type": "tool_reference", "name": name}
