"""The tool calls of an answer, as the client gets them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from claude_code_proxy.core import wire
from claude_code_proxy.core.wire import list_at, object_at, objects_in

_NO_EFFECT = frozenset(
    {
        "AskUserQuestion", "CronList", "EnterPlanMode", "ExitPlanMode", "ListAgents", "TaskCreate", "TaskGet",
        "TaskList", "TaskOutput", "TaskUpdate", "TodoWrite", "ToolSearch",
    }
)  # fmt: skip
"""Claude Code's tools that change nothing outside the conversation and read no file."""
_READS = frozenset({"Glob", "Grep", "NotebookRead", "Read"})
_WRITES = frozenset({"Edit", "MultiEdit", "NotebookEdit", "Write"})
_PATHS = ("file_path", "notebook_path", "path")


class ToolUse(NamedTuple):
    """One call: `input` is what the client gets, as a value, or as text where it is no JSON object."""

    id: str
    name: str
    input: Any


class ToolUses:
    """Collects the calls from the events of an answer, or from a whole one. Takes any object."""

    def __init__(self) -> None:
        self.found: list[ToolUse] = []
        self._open: tuple[str, str, list[str]] | None = None

    @property
    def is_open(self) -> bool:
        """Whether a call is on its way: its events matter."""
        return self._open is not None

    def event(self, event: Any) -> None:
        """Take one event of a stream."""
        match event:
            case {"type": "content_block_start", "content_block": {"type": "tool_use"} as block}:
                self._open = str(block.get("id")), str(block.get("name")), []
            case {"type": "content_block_delta", "delta": {"partial_json": str(piece)}} if self._open:
                self._open[2].append(piece)
            case {"type": "content_block_stop"} if self._open:
                call_id, name, pieces = self._open
                self._open = None
                self.found.append(ToolUse(call_id, name, _value("".join(pieces))))

    def message(self, message: Mapping[str, Any]) -> None:
        """Take a whole answer."""
        self.found += calls_of(message.get("content"))


def calls_of(content: Any) -> Iterable[ToolUse]:
    """The calls among the blocks of a message."""
    for block in objects_in(content):
        if block.get("type") == "tool_use":
            yield ToolUse(str(block.get("id")), str(block.get("name")), block.get("input"))


def is_harmless(call: ToolUse, context: Mapping[str, Any]) -> bool:
    """Whether the client asks nobody about such a call: it has no effect, or stays in a trusted folder.

    Reading there is harmless, and so is writing where no part of the path is hidden (`.git/hooks`). Only
    absolute paths without `..` count. `context` is the request's `classifier_context`.
    """
    if call.name in _NO_EFFECT:
        return True
    if call.name not in _READS | _WRITES or not isinstance(call.input, dict):
        return False
    named = [call.input[key] for key in _PATHS if key in call.input]
    if not named:
        return call.name in ("Glob", "Grep")  # they look in the working folder
    return all(_is_trusted(path, context, writes=call.name in _WRITES) for path in named)


def _is_trusted(path: Any, context: Mapping[str, Any], *, writes: bool) -> bool:
    if not isinstance(path, str) or ".." in path.split("/"):
        return False
    for folder in _trusted_folders(context):
        if path == folder or path.startswith(folder.rstrip("/") + "/"):
            inside = path[len(folder) :].split("/")
            return not writes or not any(part.startswith(".") for part in inside)
    return False


def _trusted_folders(context: Mapping[str, Any]) -> list[str]:
    trusted = object_at(context, "trusted_directories")
    entries = [trusted.get("primary"), *list_at(trusted, "additional")]
    paths = [entry.get("path") if isinstance(entry, dict) else entry for entry in entries]
    return [path for path in paths if isinstance(path, str) and path.startswith("/") and len(path) > 1]


def _value(text: str) -> Any:
    try:
        value = wire.loads_bounded(text) if text else {}
    except wire.WireError:
        return text
    return value if isinstance(value, dict) else text
