"""Builders of the Messages API's stream events, as the API reference gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from claude_code_proxy.core.answer_context import ReplyContext
from claude_code_proxy.core.continuity import seal_page
from claude_code_proxy.core.deltas import Citation, Page, WebFetch

Event: TypeAlias = dict[str, Any]
"""One stream event: JSON data with its `type`."""

MESSAGE_STOP: Event = {"type": "message_stop"}
PING: Event = {"type": "ping"}


def message(reply: ReplyContext) -> dict[str, Any]:
    """The answer as it begins: an assistant message without content."""
    return {
        "id": reply.message_id,
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage(0, 0),
        **reply.fields,
    }


def usage(input_tokens: int, output_tokens: int, written: int = 0, read: int = 0) -> dict[str, Any]:
    """Token counts; input, cache creation and cache read are disjoint and add up to the prompt."""
    return {
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
    }


def server_tool_use(use_id: str, name: str) -> dict[str, Any]:
    """The block of a tool that was run for the model; its input comes in deltas."""
    return {"type": "server_tool_use", "id": use_id, "name": name, "input": {}}


def web_search_result(use_id: str, pages: tuple[Page, ...] | None) -> dict[str, Any]:
    """The block with what a web search found; None: it failed.

    Titles are required, so the address stands for one that is unknown. `encrypted_content` is what the client
    sends back in later turns.
    """
    content: Any = {"type": "web_search_tool_result_error", "error_code": "unavailable"}
    if pages is not None:
        content = [
            {
                "type": "web_search_result",
                "url": page.url,
                "title": page.title or page.url,
                "encrypted_content": seal_page(page.text),
                "page_age": page.age,
            }
            for page in pages
        ]
    return {"type": "web_search_tool_result", "tool_use_id": use_id, "content": content}


def web_fetch_result(use_id: str, fetch: WebFetch) -> dict[str, Any]:
    """The block with a page that was fetched."""
    page = fetch.page
    content: dict[str, Any] = {"type": "web_fetch_tool_result_error", "error_code": fetch.error}
    if not fetch.error:
        content = {
            "type": "web_fetch_result",
            "url": page.url,
            "retrieved_at": fetch.retrieved_at,
            "content": {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": page.text},
                "title": page.title or None,
                "citations": None,
            },
        }
    return {"type": "web_fetch_tool_result", "tool_use_id": use_id, "content": content}


def web_citation(citation: Citation) -> dict[str, Any]:
    """A page that a text cites, for the deltas of its block."""
    return {
        "type": "web_search_result_location",
        "url": citation.page.url,
        "title": citation.page.title or None,
        "encrypted_index": "",
        "cited_text": citation.text,
    }


def message_start(message: dict[str, Any]) -> Event:
    """`message_start` with the message so far."""
    return {"type": "message_start", "message": message}


def block_start(index: int, block: dict[str, Any]) -> Event:
    """`content_block_start`; clients ignore text or input that stands in `block` already."""
    return {"type": "content_block_start", "index": index, "content_block": block}


def block_delta(index: int, kind: str, field: str, value: Any) -> Event:
    """`content_block_delta` of type `kind` with `value` in `field`."""
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, field: value}}


def block_stop(index: int) -> Event:
    """`content_block_stop`."""
    return {"type": "content_block_stop", "index": index}


def message_delta(
    stop_reason: str | None,
    stop_sequence: str | None,
    usage: dict[str, Any],
    stop_details: dict[str, Any] | None = None,
    applied_edits: Sequence[Mapping[str, Any]] | None = None,
) -> Event:
    """`message_delta`: why the message ended, the final token counts, and what was cleared of the prompt."""
    delta: dict[str, Any] = {"stop_reason": stop_reason, "stop_sequence": stop_sequence}
    if stop_details is not None:
        delta["stop_details"] = stop_details
    event: Event = {"type": "message_delta", "delta": delta, "usage": usage}
    if applied_edits is not None:
        event["context_management"] = {"applied_edits": [*applied_edits]}
    return event
