"""One request of a client and the answer to it, over ASGI."""

from __future__ import annotations

import asyncio
import re
from array import array
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from itertools import chain
from typing import Any

from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.core import wire
from claude_code_proxy.core.deltas import Usage
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.errors.masking import without_keys
from claude_code_proxy.core.prompt_cache.cache_proof import CacheLoss
from claude_code_proxy.core.report import Notice, Report
from claude_code_proxy.credentials.source import Credential
from claude_code_proxy.server.caller import ids
from claude_code_proxy.server.caller.auth import bearer_token, keys_of
from claude_code_proxy.server.caller.session_keys import SessionKeys
from claude_code_proxy.server.capture.capture import Capture
from claude_code_proxy.server.capture.capture_folder import CaptureFolder

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_MOST_GAPS = 10_000
_LONGEST_ID = 256  # characters of an upstream's id that are shown and logged

SPARE = "spare"
"""In a scope's `state`: the connection is beyond the limits, and for `/health` and `/ready` only."""
ENDING = "ending"
"""In a scope's `state`: the server waits for this response to end, so that it can end itself."""
ADMIN = "admin"
"""In a scope's `state`: the connection is one to the listener for administrators."""

_NOTHING = Credential("")
_IN_FILE = "api_base in models.yaml"
_BASE = re.compile(r"\bapi_base\b")

DEPARTURE = "departure"
"""In a scope's `state`: the `Departure` of the client."""

HeaderList = list[tuple[bytes, bytes]]


class Departure:
    """The moment when a client leaves: who must know of it is called, since a task that waits costs more."""

    _has_come = False
    _then: Callable[[], None] | None = None

    def call(self, then: Callable[[], None]) -> Callable[[], None]:
        """Call `then` when the client leaves, at once if it has; returns what keeps that from happening."""
        self._then = then
        if self._has_come:
            then()
        return self._forget

    def come(self) -> None:
        """The client has left."""
        self._has_come = True
        if self._then is not None:
            self._then()

    def _forget(self) -> None:
        self._then = None


class Call:
    """A request while it is being served, and what the log will say of it.

    What most requests do not need is an attribute of the class until it is set: with more than 30 of its own
    an object loses the fast form that Python has for its attributes.

    Of the answer: `started` (the status line is out), `ended` (the last byte is handed over), `gone` (the
    client went away before that), `sending_since` (loop time since when a write waits for a slow reader).
    """

    admitted_as: int = 0  # whose request it is, for the limit of each key
    held: int = 0  # bytes of the body, packed and unpacked

    is_spare: bool = False  # the connection is beyond the limits
    is_at_admin: bool = False  # the connection is one to the listener for administrators

    started: bool = False
    ended: bool = False
    gone: bool = False
    sending_since: float | None = None
    status: int = 0
    first_byte: float | None = None
    sent_bytes: int = 0  # of the body

    is_private: bool = False  # the server is a session's own, whose models stand in cc-proxy.json
    key: str = ""
    _issued: Credential = _NOTHING  # what else the key's issuer says of it
    session_keys: SessionKeys | None = None  # where the server has the keys itself
    model: str = ""
    upstream_id: str = ""
    usage: Usage | None = None
    failure: str = ""  # why there is no whole answer, or no good one
    error_type: str = ""
    served_by: ModelConfig | None = None  # the model that was asked last
    attempts: int = 0  # requests that were sent upstream
    upstream_errors: tuple[str, ...] = ()  # what of them failed: a status, or "connection"
    fallbacks: int = 0  # models that could not answer
    gaps: array[float] | None = None  # seconds between two writes, where somebody wants to know
    _wrote: float | None = None
    noted: tuple[Notice, ...] = ()  # what is to be said before there is a report
    report: Report | None = None
    cache_loss: CacheLoss | None = None  # what of the prompt was read again
    capture: Capture | None = None  # where somebody wants to see the whole exchange
    is_guarded: bool = False  # whether its tool calls are judged
    rule: str = ""  # the kind of request by which another model serves it

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        self.clock = loop.time
        self.began = loop.time()
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self._scope = scope
        self.headers = _merge(scope["headers"])
        self.session_id = self.headers.get("x-claude-code-session-id", "")
        """The client's id of its session; "" when it has none."""
        state = scope.get("state", ())
        if SPARE in state:
            self.is_spare = True
        elif ADMIN in state:
            self.is_at_admin = True
        self.request_id = ids.request_id()
        self.extra_headers: dict[str, str] = {}
        self.receive = receive
        self._send = send

    @property
    def raw_headers(self) -> HeaderList:
        """The headers as they came, but for their names in lower case."""
        listed: HeaderList = self._scope["headers"]
        return listed

    @property
    def query(self) -> str:
        """What stands behind the path."""
        text: bytes = self._scope["query_string"]
        return text.decode("latin-1")

    @property
    def peer(self) -> str:
        """The address of the client's connection at its end; "" where there is none."""
        host: str = (self._scope.get("client") or ("",))[0]
        return host

    @property
    def ports(self) -> tuple[int, int]:
        """The ports of the client's connection, at its end and at ours; 0 where there is none."""
        client, server = (self._scope.get(end) or ("", 0) for end in ("client", "server"))
        return client[1], server[1]

    def use_key(self, config: ModelConfig, key: str, given: Credential | None = None) -> None:
        """Make `key` the call's own, for the upstream of `config`, as if it alone had come.

        `given` is what else its issuer says of it.
        """
        self.key, self._issued = key, given or _NOTHING
        self.headers.pop("x-api-key", None)
        self.headers.pop("authorization", None)
        if config.is_anthropic:
            self.headers["x-api-key"] = key
        else:
            self.headers["authorization"] = f"Bearer {key}"

    @property
    def key_base(self) -> str:
        """The upstream's address, where the key's issuer names one."""
        return self._issued.base_url

    @property
    def key_headers(self) -> Mapping[str, str]:
        """Further headers that belong to the key."""
        return self._issued.headers

    @property
    def key_signing(self) -> Mapping[str, str]:
        """What requests are signed with, if they are."""
        return self._issued.signing

    @property
    def server_is_ending(self) -> bool:
        """Whether a response that has no end of its own should end now."""
        return ENDING in self._scope.get("state", ())

    def without_keys(self, *texts: str) -> Sequence[str]:
        """`texts` without any piece of a key, the caller's or one that the server put in its place."""
        keys = {*keys_of(self.headers), self.key, *self.key_headers.values()}
        return without_keys(texts, keys, encoded=bool(self.failure))  # with others' words among them

    def note_upstream(self, model: str, request_id: str) -> None:
        """Remember which model answered under which id, for the headers and the log."""
        request_id = request_id[:_LONGEST_ID]
        self.upstream_id = request_id
        self.extra_headers["x-proxy-upstream-model"] = model
        if request_id:
            self.extra_headers["x-upstream-request-id"] = request_id

    @property
    def notices(self) -> list[Notice]:
        """What was not carried over, so far."""
        return [] if self.report is None else self.report.notices

    def record(self, captures: CaptureFolder, body: bytes) -> None:
        """Capture the request, of which `body` is the body, and all that goes out from now on."""
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.raw_headers]
        line = self.method, self.path, self.query
        self.capture = captures.begin(self.clock, self.began, line, headers, body)
        self._send = self.capture.tap(self._send)

    def tap(self, wrap: Callable[[Send], Send]) -> None:
        """Have what goes out pass through what `wrap` makes of the way out so far."""
        self._send = wrap(self._send)

    def reports(self, report: Report) -> None:
        """Take the report of the request as it is served now."""
        if report is not self.report:
            report.notices[:0] = self.noted
        self.report = report

    # --- answering ------------------------------------------------------------------------------------
    async def respond(self, status: int, body: bytes, headers: HeaderList) -> None:
        """Send a whole answer; `headers` in addition to the content length and the proxy's own."""
        await self.start(status, [*headers, (b"content-length", b"%d" % len(body))])
        await self.write(body, more=False)

    async def respond_json(self, value: Any, status: int = 200) -> None:
        """Send a whole JSON answer."""
        await self.respond(status, wire.dumps(value), [(b"content-type", b"application/json")])

    async def respond_error(self, error: ApiError) -> None:
        """Send an error in Anthropic's shape."""
        self.error_type = error.type
        error = self.redacted(error)
        self.extra_headers.update(error.headers)
        if error.status == 401 and self._is_of_helper():
            self.extra_headers.pop("x-should-retry", None)
        await self.respond_json(error.envelope(self.request_id), error.status)

    def _is_of_helper(self) -> bool:
        """Whether the key is from Claude Code's `apiKeyHelper`, which sends it in both forms.

        It is run again after a 401, but only where that may be retried (2.1.197).
        """
        key = self.headers.get("x-api-key", "")
        return bool(key) and bearer_token(self.headers) == key

    def redacted(self, error: ApiError) -> ApiError:
        """The error without the caller's key, should an upstream have quoted it."""
        error.message = self.without_keys(error.message)[0]
        if self.is_private:
            told = error.message.replace(_IN_FILE, "base_url in cc-proxy.json")
            error.message = _BASE.sub("base_url", told)
        return error

    async def start(self, status: int, headers: HeaderList) -> None:
        """Send the status line and the headers, the proxy's own among them."""
        self.started = True
        self.status = status
        own = self.extra_headers
        if self.report is not None and self.headers.get("x-proxy-report") == "1":
            own["x-proxy-notices"] = ",".join(self.report.codes)
        listed = headers + [(name.encode(), _header_value(value)) for name, value in own.items()]
        if b"request-id" not in dict(headers):
            listed.append((b"request-id", self.request_id.encode()))
        await self._send({"type": "http.response.start", "status": status, "headers": listed})

    async def write(self, data: bytes, *, more: bool = True) -> None:
        """Send a piece of the body; waits while the client reads slower than we write."""
        now = self.clock()
        self.sent_bytes += len(data)
        if self.first_byte is None and data:
            self.first_byte = now
        if self.gaps is not None and data:
            if self._wrote is not None and len(self.gaps) < _MOST_GAPS:
                self.gaps.append(now - self._wrote)
            self._wrote = now
        if not more:
            self.ended = True  # before the send: the disconnect that follows a complete answer is no loss
        self.sending_since = now
        try:
            await self._send({"type": "http.response.body", "body": data, "more_body": more})
        finally:
            self.sending_since = None

    # --- the client's side ----------------------------------------------------------------------------
    def watch(self) -> Callable[[], object]:
        """Cancel the current task if the client goes away before the answer is complete.

        Returns what ends the watch. Only to be called when the request body has been read.
        """
        task = asyncio.current_task()
        assert task is not None

        def leave() -> None:
            if not self.ended:
                self.gone = True
                task.cancel()

        departure: Departure | None = self._scope.get("state", {}).get(DEPARTURE)
        if departure is None:  # the connection is none of ours
            return asyncio.ensure_future(self._until_gone(leave)).cancel
        return departure.call(leave)

    async def _until_gone(self, leave: Callable[[], None]) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass
        leave()


def _merge(raw: HeaderList) -> dict[str, str]:
    """Headers by lower-case name, repeated ones joined as HTTP says."""
    texts = b"\n".join(chain.from_iterable(raw)).decode("latin-1").split("\n")
    pairs = iter(texts)
    merged = dict(zip(pairs, pairs, strict=False))
    if len(merged) == len(raw) == len(texts) / 2:  # no name twice, no line break in a value
        return merged
    merged.clear()
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        merged[name] = f"{merged[name]}, {value}" if name in merged else value
    return merged


def _header_value(text: str) -> bytes:
    """A value that cannot break out of its header line."""
    text = text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
    return text.encode("latin-1", errors="replace")
