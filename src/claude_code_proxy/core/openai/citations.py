"""The pages that a provider cites: `url_citation` annotations, and lists beside the choices.

`url_citation` is flat in Responses and nested in Chat Completions (OpenAI, OpenRouter); Perplexity sends
`search_results` and `citations` in every chunk, xAI `citations` in the last.
"""

from __future__ import annotations

from typing import Any

from claude_code_proxy.core.deltas import Citation, Delta, Page, WebSearch
from claude_code_proxy.core.wire import list_at

_MOST_PAGES = 100


class Citations:
    """The pages cited so far in one answer, each once."""

    def __init__(self) -> None:
        self._pages: dict[str, Page] = {}
        self._searches: list[WebSearch] = []

    @property
    def pages(self) -> tuple[Page, ...]:
        """In the order of their first citation."""
        return tuple(self._pages.values())

    def read(self, annotations: Any, found: list[Delta]) -> None:
        """Take the `annotations` of a message or a part of it, or one annotation."""
        for annotation in annotations if isinstance(annotations, list) else [annotations]:
            if isinstance(annotation, dict) and annotation.get("type", "url_citation") == "url_citation":
                nested = annotation.get("url_citation")
                self._add(nested if isinstance(nested, dict) else annotation, found)

    def read_lists(self, payload: dict[str, Any], found: list[Delta]) -> None:
        """Take `search_results`, which have titles, and the addresses in `citations`."""
        for field in ("search_results", "citations"):
            for entry in list_at(payload, field):
                self._add(entry if isinstance(entry, dict) else {"url": entry}, found)

    def read_parts(self, parts: Any, found: list[Delta]) -> None:
        """Take the annotations of each of a message's parts."""
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict) and (annotations := part.get("annotations")):
                self.read(annotations, found)

    def hold(self, search: WebSearch) -> None:
        """Keep a search that does not say what it found until the text has cited it."""
        self._searches.append(search)

    def searches(self) -> list[WebSearch]:
        """The searches that were kept; what the text cites counts as found by the last."""
        return [
            search._replace(pages=self.pages if search is self._searches[-1] else ())
            for search in self._searches
        ]

    def _add(self, entry: dict[str, Any], found: list[Delta]) -> None:
        url, title, date = entry.get("url"), entry.get("title"), entry.get("date")
        if not isinstance(url, str) or "://" not in url or url in self._pages:
            return
        if len(self._pages) < _MOST_PAGES:
            title = title if isinstance(title, str) else ""
            self._pages[url] = page = Page(url, title, date if isinstance(date, str) and date else None)
            text = entry.get("content") or entry.get("snippet")
            found.append(Citation(page, text[:_LONGEST_QUOTE] if isinstance(text, str) else ""))


_LONGEST_QUOTE = 150  # characters, as the Messages API documents for `cited_text` of web pages
