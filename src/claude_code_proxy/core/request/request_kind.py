"""What kind of request a client makes, by its headers and its form; never by the words of a prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

CLASSES = ("main", "subagent", "workflow", "compaction", "auxiliary", "side_reply")
"""Claude Code's words in `x-claude-code-request-class` (with CLAUDE_CODE_GATEWAY_HINT_HEADERS=1; 2.1.273)."""
KINDS = (*CLASSES, "title", "web_search", "classifier", "long_context")
"""What a rule may be for: a class, a form that the request has, or its length."""


class Rule(NamedTuple):
    """Requests of a `kind` go to the model `to`; `long_context`: those `above` so many tokens."""

    kind: str
    to: str
    above: int = 0


def class_of(headers: Mapping[str, str]) -> str:
    """The class that the client names in its headers (by lower-case name), "" for none.

    The id of an agent is there without the hint headers too, and only a subagent has one.
    """
    named = headers.get("x-claude-code-request-class", "")
    if named in CLASSES:
        return named
    return "subagent" if headers.get("x-claude-code-agent-id") else ""


def fitting(
    rules: Iterable[Rule], request_class: str, body: Mapping[str, Any], length: Callable[[], int]
) -> Iterator[Rule]:
    """The rules that a request fits, in their order. `length` counts its prompt in tokens, when that matters.

    Takes any object without failing.
    """
    for rule in rules:
        if _is_of_kind(rule.kind, request_class, body) and (not rule.above or length() > rule.above):
            yield rule


def _is_of_kind(kind: str, request_class: str, body: Mapping[str, Any]) -> bool:
    """Whether a request is of this kind, its length aside."""
    match kind:
        case "long_context":
            return True
        case "title":
            return not body.get("tools") and _wants_title(body)
        case "web_search":
            tools = body.get("tools")
            return isinstance(tools, list) and bool(tools) and all(map(_searches, tools))
        case "classifier":
            # 2.1.330 to 2.1.332: no tools, not streamed, and stopped at the end of the verdict.
            plain = not body.get("tools") and body.get("stream") is not True
            return request_class == "auxiliary" and plain and bool(body.get("stop_sequences"))
        case _:
            return kind == request_class


def _wants_title(body: Mapping[str, Any]) -> bool:
    """Whether the answer is to be a JSON object with a title and nothing else (2.1.197 to 2.1.332)."""
    value: Any = body
    for key in ("output_config", "format", "schema", "properties"):
        value = value.get(key) if isinstance(value, dict) else None
    return isinstance(value, dict) and list(value) == ["title"]


def _searches(tool: Any) -> bool:
    kind = tool.get("type") if isinstance(tool, dict) else None
    return isinstance(kind, str) and kind.startswith("web_search")
