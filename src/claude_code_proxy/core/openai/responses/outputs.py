"""Reading the items of a Responses answer."""

from __future__ import annotations

from typing import Any

from claude_code_proxy.core.deltas import Page
from claude_code_proxy.core.wire import list_at, object_at, objects_in

_GOES_BACK = ("type", "id", "summary", "content", "encrypted_content")


def output_parts(content: dict[str, Any]) -> list[tuple[str, bool]]:
    """The texts of a message item, each with whether it is a refusal."""
    parts: list[tuple[str, bool]] = []
    for part in objects_in(content.get("content")):
        match part:
            case {"type": "refusal", "refusal": str(text)}:
                parts.append((text, True))
            case {"text": str(text)}:
                parts.append((text, False))
            case _:
                pass
    return parts


def reasoning_text(content: dict[str, Any]) -> str:
    """The readable text of a reasoning item: its summary, else the reasoning itself."""
    for field in ("summary", "content"):
        texts = [text for part in objects_in(content.get(field)) if isinstance(text := part.get("text"), str)]
        if text := "\n\n".join(texts):
            return text
    return ""


def sealed_item(content: dict[str, Any]) -> dict[str, Any] | None:
    """What of a reasoning item goes back to the provider; None where it could do nothing with it.

    An item is either encrypted or holds the reasoning itself; of one with a summary only, the server would
    have to remember the rest. `status` is left out: servers refuse it in a request.
    """
    if not (content.get("encrypted_content") or content.get("content")):
        return None
    return {"summary": []} | {field: content[field] for field in _GOES_BACK if content.get(field) is not None}


def searched_pages(content: dict[str, Any]) -> tuple[str, tuple[Page, ...] | None]:
    """The query of a `web_search_call` item and the pages that it names; None for a search that failed."""
    action = object_at(content, "action")
    candidates = [action.get("query"), *list_at(action, "queries"), action.get("url")]
    query = next((text for text in candidates if isinstance(text, str) and text), "")
    if content.get("status") == "failed":
        return query, None
    return query, tuple(
        Page(url, title if isinstance(title := source.get("title"), str) else "")
        for source in objects_in(action.get("sources"))
        if isinstance(url := source.get("url"), str)
    )
