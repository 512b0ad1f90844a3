"""What server tools left in the history, as text.

A chat upstream knows no server tools, and no call and result inside one message: their blocks become
lines of the assistant's text, so that the model still knows what it searched and found.
"""

from __future__ import annotations

from typing import Any

from claude_code_proxy.core.continuity import page_text
from claude_code_proxy.core.request.fields import json_text, text_or_empty
from claude_code_proxy.core.wire import objects_in, value_at

RESULT_SUFFIX = "_tool_result"


def call_line(block: dict[str, Any], path: str) -> str:
    """The line for a `server_tool_use` or `mcp_tool_use` block."""
    name = text_or_empty(block, "name") or "server tool"
    return f"[{name} {json_text(block.get('input') or {}, f'{path}.input')}]"


def result_line(block: dict[str, Any], path: str) -> str:
    """The line or lines for a `*_tool_result` block; encrypted content that is not ours is left out."""
    name = text_or_empty(block, "type").removesuffix(RESULT_SUFFIX)
    content = block.get("content")
    entries = content if isinstance(content, list) else [content]
    lines = [_entry(name, entry, f"{path}.content") for entry in entries if entry]
    if block.get("is_error") is True:
        lines.insert(0, f"[{name} failed]")
    return "\n".join(lines) or f"[{name}: no results]"


def found_tools(block: dict[str, Any]) -> list[str]:
    """The names that the result of a server tool search refers to."""
    references = objects_in(value_at(block, "content", "tool_references"))
    names = [reference.get("tool_name") for reference in references]
    return [name for name in names if isinstance(name, str)]


def _entry(name: str, entry: Any, path: str) -> str:
    match entry:
        case str():
            return entry
        case {"error_code": code}:
            return f"[{name} failed: {code}]"
        case {"type": "text", "text": str(text)}:
            return text
        case {"url": str(url), "content": {"type": "document"}}:
            return _page(url, entry)
        case {"url": str(url)}:
            title, age = text_or_empty(entry, "title"), text_or_empty(entry, "page_age")
            line = (f"{title} - {url}" if title else url) + (f" ({age})" if age else "")
            return f"{line}\n{text}" if (text := page_text(entry.get("encrypted_content"))) else line
        case dict():
            kept = {key: value for key, value in entry.items() if not key.startswith("encrypted")}
            return f"[{name} result: {json_text(kept, path)}]"
        case _:
            return f"[{name} result: {json_text(entry, path)}]"


def _page(url: str, entry: dict[str, Any]) -> str:
    """A page that was fetched: its address, when, its title, and the text where it is one."""
    document = entry["content"]
    title, when = text_or_empty(document, "title"), text_or_empty(entry, "retrieved_at")
    head = (f"{title} - {url}" if title else url) + (f" ({when})" if when else "")
    match document.get("source"):
        case {"type": "text", "data": str(text)} | {"type": "content", "content": str(text)}:
            return f"{head}\n{text}"
        case {"type": "content", "content": list(blocks)}:
            texts = [block["text"] for block in objects_in(blocks) if isinstance(block.get("text"), str)]
            return "\n\n".join([head, *texts])
        case _:
            return f"{head}\n[the page is no text]"
