"""Anthropic stream events folded into one message: the non-streamed answer is the streamed one, added up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from claude_code_proxy.core.answer.tool_json import parse_arguments

if TYPE_CHECKING:
    from collections.abc import Iterable

    from claude_code_proxy.core.answer.events import Event
    from claude_code_proxy.core.report import Report

_GROWING = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "citations_delta": "citation",
    "compaction_delta": "content",
}


def fold(events: Iterable[Event], report: Report) -> dict[str, Any]:
    """The message that a complete run of events adds up to; `events` must end with `message_stop`."""
    message: dict[str, Any] = {}
    grown: dict[str, list[Any]] = {}
    block: dict[str, Any] = {}
    for event in events:
        match event["type"]:
            case "message_start":
                message = {**event["message"], "content": []}
            case "content_block_start":
                block, grown = dict(event["content_block"]), {}
                message["content"].append(block)
            case "content_block_delta":
                delta = event["delta"]
                field = _GROWING.get(delta["type"], "partial_json")
                grown.setdefault(field, []).append(delta[field])
            case "content_block_stop":
                if citations := grown.pop("citation", None):
                    block["citations"] = citations
                _finish_block(block, {field: "".join(pieces) for field, pieces in grown.items()}, report)
            case "message_delta":
                message.update(event["delta"], usage=event["usage"])
                if "context_management" in event:
                    message["context_management"] = event["context_management"]
                message.setdefault("stop_details", None)
            case _:
                pass  # pings and the end itself add nothing
    usage = message.pop("usage")
    return {**message, "usage": usage}


def _finish_block(block: dict[str, Any], grown: dict[str, str], report: Report) -> None:
    if block["type"] in ("tool_use", "server_tool_use"):
        block["input"] = parse_arguments(grown.get("partial_json", ""), report)
    else:
        block.update(grown)
