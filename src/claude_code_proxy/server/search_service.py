"""Web searches and pages for models whose provider has none: by a search service, or an honest answer.

The service gets the query and, if the client sent one for it, the key in `x-search-key`. The key of the
model's provider never goes there, and the search key goes nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.core import sse, web_search, wire
from claude_code_proxy.core.answer.message import fold
from claude_code_proxy.core.answer.writer import BlockWriter
from claude_code_proxy.core.answer_context import ReplyContext
from claude_code_proxy.core.deltas import Finish, Text, Usage, WebSearch
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.report import Notice, Report
from claude_code_proxy.core.web_search import Asked
from claude_code_proxy.http1 import Headers
from claude_code_proxy.server.caller import ids
from claude_code_proxy.server.caller.call import Call
from claude_code_proxy.server.convert.serve_converted import serve_converted
from claude_code_proxy.server.gateway import Gateway
from claude_code_proxy.server.upstream import forwarded_headers

MAX_ANSWER = 4 << 20
"""Bytes of a search service's answer."""


def asked(gateway: Gateway, call: Call, config: ModelConfig, request: dict[str, Any]) -> Asked | None:
    """What the request wants of the web that its provider cannot do, and the proxy can or has to deny."""
    if config.profile.searches_web:
        return None
    fetches = gateway.pages is not None
    return web_search.asked(request, claude_code=bool(call.session_id), fetches=fetches)


async def serve_search(
    gateway: Gateway, call: Call, config: ModelConfig, request: dict[str, Any], size: int, asked: Asked
) -> None:
    """Answer a request for a web search; `size` is its length in bytes. Raises `ApiError`."""
    if asked.query is None:
        await _serve_pages(gateway, call, config, request, size, asked)
        return
    if gateway.settings.search_url is None:
        await _answer(call, config, request, web_search.NO_SEARCH, "web_search_unavailable")
        return
    try:
        payload = await _search(gateway, call, gateway.settings.search_url, web_search.with_sites(asked))
    except ApiError as error:
        text = f"The web search failed: {error.message}. Nothing was found; tell the user so."
        await _answer(call, config, request, text, "web_search_failed")
        return
    results = web_search.read_results(payload, asked.filters)
    request = web_search.with_results(request, asked.query, results)
    why = Notice("web_search_emulated", "tools", "emulated", "the proxy used its search service")
    call.noted += (why,)
    looked_up = (WebSearch(-1, asked.query, tuple(results)),)
    await serve_converted(gateway, call, config, request, size, looked_up)


async def _serve_pages(
    gateway: Gateway, call: Call, config: ModelConfig, request: dict[str, Any], size: int, asked: Asked
) -> None:
    """Answer a request for pages. Raises `ApiError`."""
    if gateway.pages is None or not asked.urls:
        text = web_search.NO_FETCH if gateway.pages is None else web_search.NO_ADDRESS
        await _answer(call, config, request, text, "web_fetch_unavailable")
        return
    with _watched(call):
        fetched = await gateway.pages.fetch(asked)
    call.noted += (Notice("web_fetch_emulated", "tools", "emulated", "the proxy fetched the pages"),)
    request = web_search.with_pages(request, fetched)
    await serve_converted(gateway, call, config, request, size, tuple(fetched))


@contextmanager
def _watched(call: Call) -> Iterator[None]:
    """A client that goes away ends what is done for it."""
    unwatch = call.watch()
    try:
        yield
    finally:
        unwatch()


async def _search(gateway: Gateway, call: Call, url: str, query: str) -> Any:
    """The service's answer as a JSON value. Raises `ApiError` in words for the model."""
    sent = Headers({"Accept": "application/json", "User-Agent": forwarded_headers.USER_AGENT})
    if key := call.headers.get(forwarded_headers.SEARCH_KEY, "").strip():
        name = gateway.settings.search_key_header
        sent[name] = f"Bearer {key}" if name.lower() == "authorization" else key
    address = url.replace("{query}", quote(query, safe=""))
    with _watched(call):
        seconds = gateway.settings.search_timeout
        status, data = await gateway.upstreams.get(address, sent, seconds=seconds, limit=MAX_ANSWER)
    if status != 200:
        hint = f" (is the header {forwarded_headers.SEARCH_KEY} right?)" if status in (401, 403) else ""
        raise ApiError(502, "api_error", f"the search service returned {status}{hint}")
    try:
        return wire.loads_bounded(data)
    except wire.WireError:
        raise ApiError(502, "api_error", "the search service's response is not JSON") from None


async def _answer(call: Call, config: ModelConfig, request: dict[str, Any], text: str, code: str) -> None:
    """Answer with `text`, streamed or whole, without asking the model."""
    report = Report()
    call.reports(report)
    report.emulated(code, "tools", "the proxy itself replied that this is not available")
    reply = ReplyContext(model=call.model, message_id=ids.message_id())
    writer = BlockWriter(config.profile, reply, report)
    events = [*writer.write([Text(text), Finish("end_turn"), Usage(0, 0)]), *writer.end()]
    if request.get("stream") is not True:
        await call.respond_json(fold(events, report))
        return
    await call.start(200, forwarded_headers.STREAM)
    await call.write(b"".join(map(sse.encode, events)), more=False)
