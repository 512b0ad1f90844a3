"""`GET /ui`: the page that shows sessions and requests live, its files and what it asks for.

All of it is under the rules of the administrative paths (`Access.check_admin`). The page is plain HTML, CSS
and JavaScript of `server/page`, sent as it is; what requests said reaches it as JSON only.
"""

from __future__ import annotations

import asyncio
import os
import time
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from claude_code_proxy import __version__
from claude_code_proxy.core import wire
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.server.caller.call import Call, HeaderList
from claude_code_proxy.server.gateway import Gateway
from claude_code_proxy.server.records.live_feed import MAX_VIEWERS, LiveFeed, Viewer, line_of

_FOLDER = Path(__file__).parent.parent / "page"
_TYPES = {
    ".html": b"text/html; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
    ".txt": b"text/plain; charset=utf-8",
}
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SAFE: HeaderList = [
    (b"content-security-policy", _POLICY),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]
_EVERY = 0.25  # seconds between two pieces of news
_QUIET = 15.0  # seconds after which a viewer hears that the server is still there


async def show(gateway: Gateway, call: Call) -> None:
    """Answer the page. Raises `ApiError` 404 where it is switched off."""
    _feed(gateway)
    await _send(call, "index.html")


async def asset(gateway: Gateway, call: Call) -> None:
    """Answer one of the page's files. Raises `ApiError` 404."""
    _feed(gateway)
    await _send(call, call.path.rpartition("/")[2])


async def events(gateway: Gateway, call: Call) -> None:
    """Stream what happens as server-sent events until the viewer leaves or the server ends.

    The first says who the server is, each further one is a `Viewer.news`. Raises `ApiError` 404, 529.
    """
    feed = _feed(gateway)
    kind = [(b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no"), *_SAFE]
    if call.method == "HEAD":
        await call.respond(200, b"", kind)
        return
    if feed.viewers >= MAX_VIEWERS:
        raise ApiError(529, "overloaded_error", f"{MAX_VIEWERS} viewers look at this server already")
    feed.viewers += 1
    unwatch = call.watch()
    try:
        await call.start(200, kind)
        server = {"version": __version__, "pid": os.getpid(), "workers": gateway.settings.workers}
        await call.write(_event({"server": server, "now": time.time()}))
        await _tell(Viewer(feed), call)
    finally:
        unwatch()
        feed.viewers -= 1


async def request(gateway: Gateway, call: Call) -> None:
    """Answer what is known of the request `?id=` beside its row. Raises `ApiError` 404."""
    request_id = parse_qs(call.query).get("id", [""])[0]
    answer: dict[str, object] = {"notices": _feed(gateway).notices(request_id)}
    capture, answer["reason"] = await asyncio.to_thread(_capture, gateway, call, request_id)
    answer["capture"] = capture
    if capture is not None:
        answer["notices"] = [notice for notice in capture["notices"] if not notice["quiet"]]
    await _send_json(call, answer)


async def line(gateway: Gateway, call: Call) -> None:
    """Answer the session `?session=` in a line of text, as `ccproxy statusline` shows it."""
    session_id = parse_qs(call.query).get("session", [""])[0]
    text = line_of(_feed(gateway), session_id).encode()
    await call.respond(200, text, [(b"content-type", _TYPES[".txt"]), *_SAFE])


def _capture(gateway: Gateway, call: Call, request_id: str) -> tuple[dict[str, Any] | None, str]:
    """The capture of a request, or why it is not shown."""
    if gateway.captures is None:
        return (
            None,
            "Bodies are not kept here; serve --capture FOLDER keeps those of the next exchanges.",
        )
    if not gateway.access.may_read_content(call):
        return None, "Bodies are shown to the user who runs the server, and to admins."
    capture = gateway.captures.read(request_id)
    return capture, "" if capture else "The bodies of this exchange are not kept, or not any more."


async def _tell(viewer: Viewer, call: Call) -> None:
    quiet_since = call.clock()
    while not call.server_is_ending:
        news = viewer.news()
        if news:
            await call.write(_event({**news, "now": time.time()}))
            quiet_since = call.clock()
        elif call.clock() - quiet_since > _QUIET:
            await call.write(b":\n\n")
            quiet_since = call.clock()
        if not viewer.more:
            await asyncio.sleep(_EVERY)
    await call.write(b"", more=False)


def _event(value: dict[str, object]) -> bytes:
    return b"data: " + wire.dumps(value) + b"\n\n"


def _feed(gateway: Gateway) -> LiveFeed:
    if gateway.feed is None:
        raise ApiError(404, "not_found_error", "the page is switched off (serve --ui no)")
    return gateway.feed


async def _send(call: Call, name: str) -> None:
    file = _files().get(name)
    if file is None:
        raise ApiError(404, "not_found_error", "the page has no such file")
    await call.respond(200, file[1], [(b"content-type", file[0]), *_SAFE])


async def _send_json(call: Call, value: object) -> None:
    await call.respond(200, wire.dumps(value), [(b"content-type", b"application/json"), *_SAFE])


@cache
def _files() -> dict[str, tuple[bytes, bytes]]:
    """The page's files by name: type and content. Together about 100 kB."""
    return {
        path.name: (_TYPES[path.suffix], path.read_bytes())
        for path in _FOLDER.rglob("*")
        if path.suffix in _TYPES
    }
