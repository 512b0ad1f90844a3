"""The blocks of searches and fetched pages, member by member, as the API reference gives them."""

from __future__ import annotations

from typing import Any

import pytest

from claude_code_proxy.core.answer import events
from claude_code_proxy.core.continuity import seal_page
from claude_code_proxy.core.deltas import Citation, Page, WebFetch

PAGE = Page("https://a.example/x", "A title", "1 May 2026", "its words")
UNTITLED = Page("https://b.example")


@pytest.mark.parametrize(
    ("pages", "content"),
    [
        (None, {"type": "web_search_tool_result_error", "error_code": "unavailable"}),
        ((), []),
        (
            (PAGE, UNTITLED),
            [
                {
                    "type": "web_search_result",
                    "url": "https://a.example/x",
                    "title": "A title",
                    "encrypted_content": seal_page("its words"),
                    "page_age": "1 May 2026",
                },
                {
                    "type": "web_search_result",
                    "url": "https://b.example",
                    "title": "https://b.example",
                    "encrypted_content": seal_page(""),
                    "page_age": None,
                },
            ],
        ),
    ],
)
def test_a_search(pages: tuple[Page, ...] | None, content: Any) -> None:
    assert events.web_search_result("srvtoolu_1", pages) == {
        "type": "web_search_tool_result",
        "tool_use_id": "srvtoolu_1",
        "content": content,
    }


def document(title: str | None, text: str) -> dict[str, Any]:
    source = {"type": "text", "media_type": "text/plain", "data": text}
    return {"type": "document", "source": source, "title": title, "citations": None}


@pytest.mark.parametrize(
    ("fetch", "content"),
    [
        (
            WebFetch(1, PAGE, retrieved_at="2026-05-01T00:00:00Z"),
            {
                "type": "web_fetch_result",
                "url": "https://a.example/x",
                "retrieved_at": "2026-05-01T00:00:00Z",
                "content": document("A title", "its words"),
            },
        ),
        (
            WebFetch(1, UNTITLED, retrieved_at="2026-05-01T00:00:00Z"),
            {
                "type": "web_fetch_result",
                "url": "https://b.example",
                "retrieved_at": "2026-05-01T00:00:00Z",
                "content": document(None, ""),
            },
        ),
        (
            WebFetch(1, PAGE, error="url_not_accessible"),
            {"type": "web_fetch_tool_result_error", "error_code": "url_not_accessible"},
        ),
    ],
)
def test_a_fetched_page(fetch: WebFetch, content: Any) -> None:
    assert events.web_fetch_result("srvtoolu_1", fetch) == {
        "type": "web_fetch_tool_result",
        "tool_use_id": "srvtoolu_1",
        "content": content,
    }


def test_a_call_that_was_run() -> None:
    assert events.server_tool_use("srvtoolu_1", "web_search") == {
        "type": "server_tool_use",
        "id": "srvtoolu_1",
        "name": "web_search",
        "input": {},
    }


@pytest.mark.parametrize(("page", "title"), [(PAGE, "A title"), (UNTITLED, None)])
def test_a_citation(page: Page, title: str | None) -> None:
    assert events.web_citation(Citation(page, "words")) == {
        "type": "web_search_result_location",
        "url": page.url,
        "title": title,
        "encrypted_index": "",
        "cited_text": "words",
    }
