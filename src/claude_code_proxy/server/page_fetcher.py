"""Web pages for models whose provider fetches none: public addresses only, within limits.

Whoever may ask the server chooses the address, so a page must lie where anybody on the internet could ask
for it: every address that a name has, and that of every redirect, is looked at when the connection is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from urllib.parse import urljoin

from claude_code_proxy import http1
from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.core import web_search
from claude_code_proxy.core.deltas import Page, WebFetch
from claude_code_proxy.core.hosts import is_public
from claude_code_proxy.core.web_search import Asked
from claude_code_proxy.server.upstream.forwarded_headers import USER_AGENT

PACKAGE = "selectolax"
_MOST_REDIRECTS = 5
_MOST_TEXT = 100_000  # characters of a page
_BYTES_PER_TOKEN = 4
_HTML = ("text/html", "application/xhtml+xml")
_TEXTS = ("text/", "application/json", "application/xml")
_SENT = {"User-Agent": USER_AGENT, "Accept": "text/html, text/*", "Accept-Encoding": "identity"}
_NO_TEXT = ("script", "style", "noscript", "template", "svg", "iframe")


class PageFetcher:
    """Fetches pages, each within `seconds` and at most `limit` bytes of it.

    `allows` says whether a connection to an IP address may be made. Raises `ConfigError` without its extra.
    """

    def __init__(self, seconds: float, limit: int, allows: Callable[[str], bool] = is_public) -> None:
        try:
            import_module(PACKAGE)
        except ImportError:
            raise ConfigError("fetch: pip install 'keyless-claude-proxy[fetch]'") from None
        self._seconds = seconds
        self._limit = limit
        self._http = http1.Client(http1.Options(allows=allows))

    async def fetch(self, asked: Asked) -> list[WebFetch]:
        """The pages that are `asked` for, or why there is none."""
        return [await self._fetch(-1 - index, url, asked) for index, url in enumerate(asked.urls)]

    async def close(self) -> None:
        """Close every connection."""
        await self._http.close()

    async def _fetch(self, key: int, url: str, asked: Asked) -> WebFetch:
        try:
            async with asyncio.timeout(self._seconds):
                return await self._follow(key, url, asked)
        except (TimeoutError, http1.HttpError):
            return WebFetch(key, Page(url), error="url_not_accessible")

    async def _follow(self, key: int, url: str, asked: Asked) -> WebFetch:
        address = url
        for _ in range(_MOST_REDIRECTS):
            if not address.startswith(("http://", "https://")) or not web_search.passes(
                address, asked.filters
            ):
                return WebFetch(key, Page(url), error="url_not_allowed")
            response = await self._http.request("GET", address, http1.Headers(_SENT))
            try:
                location = response.headers.get("location")
                if 300 <= response.status < 400 and location:
                    address = urljoin(address, location)
                    continue
                if response.status != 200:
                    error = "too_many_requests" if response.status == 429 else "url_not_accessible"
                    return WebFetch(key, Page(url), error=error)
                kind = response.content_type
                if not kind.startswith(_TEXTS) and kind not in _HTML:
                    return WebFetch(key, Page(url), error="unsupported_content_type")
                data = bytearray()
                while len(data) < self._limit and (piece := await response.read()):
                    data += piece
            finally:
                response.close()
            text = _decoded(bytes(data[: self._limit]), response.headers.get("content-type") or "")
            title, text = await asyncio.to_thread(_read_html, text) if kind in _HTML else ("", text)
            most = asked.max_tokens * _BYTES_PER_TOKEN or _MOST_TEXT
            now = datetime.now(UTC).isoformat(timespec="seconds")
            return WebFetch(key, Page(address, title, None, text[: min(most, _MOST_TEXT)]), now)
        return WebFetch(key, Page(url), error="url_not_accessible")


def _decoded(data: bytes, content_type: str) -> str:
    charset = content_type.lower().partition("charset=")[2].partition(";")[0].strip("\"' ") or "utf-8"
    try:
        return data.decode(charset, "replace")
    except LookupError:
        return data.decode("utf-8", "replace")


def _read_html(html: str) -> tuple[str, str]:
    """Title and text of a page."""
    from selectolax.lexbor import LexborHTMLParser  # an extra

    page = LexborHTMLParser(html)
    title = page.css_first("title")
    named = " ".join(title.text().split()) if title is not None else ""
    page.strip_tags([*_NO_TEXT])
    body = page.body
    lines = body.text(separator="\n").splitlines() if body is not None else []
    return named, "\n".join(filter(None, (" ".join(line.split()) for line in lines)))
