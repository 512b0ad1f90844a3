"""Anthropic stream events folded into one message: the non-streamed answer is the streamed one, added up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from claude_code_proxy.core.answer.events import Event
from claude_code_proxy.core.answer.tool_json import parse_arguments
from claude_code_proxy.core.report import Report

_GROWING = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "citations_delta": "citation",
    "compaction_delta": "content",
}
_CALLS = ("tool_use", "server_tool_use")


def fold(events: Iterable[Event], report: Report) -> dict[str, Any]:
    """The message that a complete run of events adds up to; `events` must end with `message_stop`."""
    message: dict[str, Any] = {}
    grown: dict[str, list[Any]] = {}
    block: dict[str, Any] = {}
    for event in events:
        match event["type"]:
            case "content_block_delta":
                delta = event["delta"]
                field = _GROWING.get(delta["type"], "partial_json")
                if field in grown:
                    grown[field].append(delta[field])
                else:
                    grown[field] = [delta[field]]
            case "content_block_start":
                block, grown = {**event["content_block"]}, {}
                message["content"].append(block)
            case "content_block_stop":
                _finish_block(block, grown, report)
            case "message_start":
                message = {**event["message"], "content": []}
            case "message_delta":
                message.pop("usage", None)
                message.update(event["delta"])
                if "context_management" in event:
                    message["context_management"] = event["context_management"]
                message.setdefault("stop_details", None)
                message["usage"] = event["usage"]
            case _:
                pass  # pings and the end itself add nothing
    return message


def _finish_block(block: dict[str, Any], grown: dict[str, list[Any]], report: Report) -> None:
    if citations := grown.pop("citation", None):
        block["citations"] = citations
    if block["type"] in _CALLS:
        block["input"] = parse_arguments("".join(grown.get("partial_json", ())), report)
        return
    for field, pieces in grown.items():
        block[field] = "".join(pieces)
