"""The clients' connections: how many there may be, how large a request's head is, and how long each may take.

uvicorn has no such limits with httptools, which collects what it is sent until a head is complete.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import chain
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.core import wire
from claude_code_proxy.core.errors.api import ApiError, invalid_request

from .caller import ids
from .caller.call import ADMIN, DEPARTURE, ENDING, SPARE, Departure
from .response_cycle import ResponseCycle

_MOST_SPARE = 64
_MOST_ADMINS = 64  # connections to the listener for administrators
_MOST_WAITING = 32  # requests that were sent before the one ahead of them was answered
_SPARE_TIME = 2.0  # seconds in which a spare connection must have sent its head
_LOOK_EVERY = 1.0  # seconds
_LAST_REQUEST = 0.5  # seconds in which an idle connection may still bring one when the server ends
_INVALID = "Invalid HTTP request received."
_REASONS = {408: "Request Timeout", 413: "Content Too Large", 429: "Too Many Requests", 529: "Overloaded"}


class Connections:
    """The connections of one process to one of its addresses, `for_admins` or for clients.

    Can be handed to worker processes while it is unused. Those for administrators have to send a head as soon
    as spare ones do, so that silence starves nobody who asks for the server's health.
    """

    def __init__(self, settings: ServerSettings, *, for_admins: bool = False) -> None:
        self.settings = settings
        self.for_admins = for_admins
        self._most = _MOST_ADMINS if for_admins else settings.max_connections
        self._most_spare = 0 if for_admins else min(_MOST_SPARE, settings.max_connections)
        self._open: dict[Connection, str] = {}
        self._by_address: Counter[str] = Counter()
        self._spare = 0

    def protocol(self, **options: Any) -> Connection:
        """What uvicorn is to make for a connection."""
        return Connection(self, **options)

    def add(self, connection: Connection) -> ApiError | None:
        """Count a new connection; the reason why it is one too many."""
        address = connection.client[0] if connection.client else ""
        if not self._open:
            connection.loop.call_later(_LOOK_EVERY, self._look, connection.loop)
        self._open[connection] = address
        self._by_address[address] += 1
        if self._by_address[address] > self.settings.max_connections_per_address:
            error = _error(429, "rate_limit_error", "connections from one address", "_per_address")
        elif len(self._open) > self._most:
            error = _error(529, "overloaded_error", "connections", "")
        else:
            return None
        if self._spare >= self._most_spare:
            return error
        self._spare += 1
        connection.is_spare = True
        return None

    def remove(self, connection: Connection) -> None:
        """Forget a connection that is gone."""
        address = self._open.pop(connection, None)
        if address is None:
            return
        self._spare -= connection.is_spare
        if self._by_address[address] > 1:
            self._by_address[address] -= 1
        else:
            del self._by_address[address]

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in list(self._open):
            connection.look(now)
        if self._open:
            loop.call_later(_LOOK_EVERY, self._look, loop)


class Connection(HttpToolsProtocol):
    """One connection within limits. `is_spare`: it is beyond those on connections."""

    # Beside uvicorn's own: more than 30 in one dictionary would make each access slower (CPython 3.11).
    __slots__ = (
        "_aside",
        "_body_since",
        "_connections",
        "_head_since",
        "_head_size",
        "_heard",
        "_in_body",
        "_is_last",
        "_marks",
        "_problem",
        "_scope",
        "_settings",
        "_unsent",
        "is_spare",
    )
    cycle: ResponseCycle  # of the request that came last

    def __init__(self, connections: Connections, **options: Any) -> None:
        super().__init__(**options)
        self.is_spare = False
        self._connections = connections
        self._settings = connections.settings
        self._head_since: float | None = None  # None: no head is due
        self._head_size = 0  # bytes, with what may follow the head in the same read
        self._in_body = False  # also of a request that was answered before its body had come
        self._aside = 0  # bytes since the last of a body: of chunks' extensions, or of trailers
        self._body_since = self._heard = 0.0  # _heard: when something came or a response was complete
        self._problem: ApiError | None = None
        self._unsent: tuple[int, float] | None = None  # bytes for a client that is to go, and since when
        self._is_last = False  # the next request is the last one: the server ends

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the connection in, or say why not."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self._head_since = self.loop.time()
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": "",
        }
        error = self._connections.add(self)
        self._marks = (
            {SPARE: True} if self.is_spare else {ADMIN: True} if self._connections.for_admins else {}
        )
        if error is not None:
            self._refuse(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._connections.remove(self)
        self.connections.discard(self)
        if self.cycle is not None:
            self.cycle.leave()
        if self.flow is not None:
            self.flow.resume_writing()
        if exc is None:
            self.transport.close()
        self.parser = None  # type: ignore[assignment] # as uvicorn's own; it holds the connection

    def shutdown(self) -> None:
        """End after the request under way, or one that may be on its way."""
        if self.cycle is not None:
            self.cycle.scope["state"][ENDING] = True
        if self._is_idle():
            self._is_last = True
            self.loop.call_later(_LAST_REQUEST, super().shutdown)
        else:
            super().shutdown()

    def data_received(self, data: bytes) -> None:
        """Take a read, and no more of a head than it may have."""
        if self.transport.is_closing():
            return
        if self._head_since is not None:
            self._head_size += len(data)
        elif self._in_body or not self._is_idle():
            self._heard = self.loop.time()
            self._aside += len(data)
        else:
            self._head_since, self._head_size = self.loop.time(), len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.logger.warning(_INVALID)
            self._refuse(self._problem or invalid_request(_INVALID))
            return
        except httptools.HttpParserUpgrade:
            self._unsupported_upgrade_warning()
        if self._in_body:
            if self._aside > self._settings.max_head_bytes:
                self._refuse_body()
            elif len(self.cycle.body) > HIGH_WATER_LIMIT and not self.cycle.response_complete:
                self.flow.pause_reading()
        elif self._head_since is not None and self._head_size > self._settings.max_head_bytes:
            self._refuse(self._too_large())

    def on_message_begin(self) -> None:
        """A head begins, perhaps behind another request."""
        if self._head_since is None:
            self._head_since, self._head_size = self.loop.time(), 1
        if len(self.pipeline) >= _MOST_WAITING:
            self._problem = invalid_request(f"more than {_MOST_WAITING} requests wait on one connection")
            raise self._problem
        self.url = b""
        self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """A line of a head, or of trailers."""
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """A head is complete; raises to end the reading of one that is too large."""
        headers, settings, parser = self.headers, self._settings, self.parser
        if self._head_size > settings.max_head_bytes or len(headers) > settings.max_headers:
            size = len(self.url) + len(b"".join(chain.from_iterable(headers)))
            if size > settings.max_head_bytes or len(headers) > settings.max_headers:
                self._problem = self._too_large()
                raise self._problem
        url = httptools.parse_url(self.url)
        path, version = url.path.decode("ascii"), parser.get_http_version()
        self._head_since = None
        self._body_since = self._heard = self.loop.time()
        self._in_body = True
        self._aside = 0
        self.headers = []  # for trailers, which are none of the request's headers (RFC 9110 6.5.1)
        scope = {
            **self._scope,
            "http_version": version,
            "method": parser.get_method().decode("ascii"),
            "path": unquote(path) if "%" in path else path,
            "query_string": url.query or b"",
            "headers": headers,
            "state": {**self._marks, DEPARTURE: Departure()},
        }
        keep_alive = version != "1.0" and parser.should_keep_alive() and not self._is_last
        is_next = self._is_idle()
        self.cycle = ResponseCycle(self, scope, keep_alive=keep_alive)
        if is_next:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def on_body(self, body: bytes) -> None:
        """A piece of a body."""
        self._aside = 0
        self.cycle.take(body)

    def on_message_complete(self) -> None:
        """A body is complete."""
        self._in_body = False
        self.cycle.end_body()
        if self.flow.read_paused and not self.pipeline:
            self.flow.resume_reading()  # to hear of an end; a large body may have paused it

    def on_response_complete(self) -> None:
        """A response is complete: the next request may be served, if it is there already."""
        self._heard = self.loop.time()
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())

    def look(self, now: float) -> None:
        """End a connection that takes too long. Called now and then."""
        unsent, self._unsent = self._unsent, None
        settings = self._settings
        if self.transport.is_closing() or self.transport.get_write_buffer_size():
            self._end_stalled(now, unsent)
        elif not self._is_idle():
            if not self.cycle.more_body or self.cycle.response_started:
                return
            late = ""
            if now - self._body_since > settings.body_timeout:
                late = f"did not arrive within {settings.body_timeout:g} s (server setting body_timeout)"
            elif now - self._heard > settings.head_timeout:
                late = f"stopped for {settings.head_timeout:g} s (server setting head_timeout)"
            if late:
                self._respond(ApiError(408, "timeout_error", f"the request body {late}"))
                self.transport.close()
        elif self._head_since is not None:
            is_short = self.is_spare or self._connections.for_admins
            limit = _SPARE_TIME if is_short else settings.head_timeout
            if now - self._head_since > limit and self._head_size:
                late = (
                    f"the head of the request did not arrive within {limit:g} s (server setting head_timeout)"
                )
                self._refuse(ApiError(408, "timeout_error", late))
            elif now - self._head_since > limit:
                self.transport.close()
        elif now - self._heard > self.timeout_keep_alive:
            self.transport.close()

    def _is_idle(self) -> bool:
        """Whether no request waits for its response, or for the rest of it."""
        return self.cycle is None or self.cycle.response_complete

    def _refuse_body(self) -> None:
        if not self.cycle.response_started:
            self._respond(self._too_large())
        self.transport.close()

    def _end_stalled(self, now: float, unsent: tuple[int, float] | None) -> None:
        """Cut a client off that does not read what is left for it."""
        size = self.transport.get_write_buffer_size()
        settings = self._settings
        limit = settings.head_timeout if self.transport.is_closing() else settings.client_stall_timeout
        self._unsent = unsent if unsent is not None and unsent[0] == size else (size, now)
        if now - self._unsent[1] > limit:
            self.transport.abort()

    def _too_large(self) -> ApiError:
        return ApiError(
            413,
            "request_too_large",
            f"the head or trailer of the request is larger than {self._settings.max_head_bytes} bytes or has "
            f"more than {self._settings.max_headers} fields (server settings max_head_bytes, max_headers)",
        )

    def _refuse(self, error: ApiError) -> None:
        """Send an error over a connection that waits for no other response, and close it."""
        if self._is_idle():
            self._respond(error)
        self.transport.close()

    def _respond(self, error: ApiError) -> None:
        body = wire.dumps(error.envelope(ids.request_id()))
        head = (
            f"HTTP/1.1 {error.status} {_REASONS.get(error.status, 'Bad Request')}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)


def _error(status: int, kind: Any, what: str, setting: str) -> ApiError:
    return ApiError(
        status, kind, f"the proxy is at its limit of {what} (max_connections{setting}); try again"
    )
