"""One exchange while it is under way: everything that came and went, and when."""

from __future__ import annotations

import base64
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from msgspec.structs import asdict

from claude_code_proxy.config.models_yaml.entry import NATIVE_KEYS, PROFILE_KEYS
from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.core import providers, wire
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Notice
from claude_code_proxy.http1 import Headers
from claude_code_proxy.http1.errors import HttpError
from claude_code_proxy.server.capture.filler import Filler
from claude_code_proxy.server.capture.key_masks import KeyMasks, harmless
from claude_code_proxy.transports.protocol import Response

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

VERSION = 1
_QUERY = re.compile(r"(?<==)(?!(?:true|false|\d{1,9})(?:&|\Z))[^&]+")
"""What somebody gave as a value of the query, where it is more than a switch or a count."""


class Poster(Protocol):
    """What sends a request (`UpstreamClient`)."""

    @property
    def url(self) -> str:
        """Where to."""

    @property
    def headers(self) -> Headers:
        """With the key."""

    async def post(self, body: bytes) -> Response:
        """Send it; raises `ApiError`."""


@dataclass(slots=True)
class Room:
    """How many bytes all captures of a process may hold in memory, and how many they do."""

    most: int
    held: int = 0

    def take(self, size: int) -> bool:
        """Whether there is room for `size` more, which is then taken."""
        if self.held + size > self.most:
            return False
        self.held += size
        return True


@dataclass(slots=True)
class Flow:
    """Pieces of a body with the seconds at which each came or went; `why` it broke off, where it did."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[tuple[float, bytes]] = field(default_factory=list)
    why: str = ""


@dataclass(slots=True)
class Sent:
    """One request to an upstream, and its response; `error` says why there is none."""

    url: str
    seconds: float
    headers: dict[str, str]
    body: bytes
    response: Flow = field(default_factory=Flow)
    error: str = ""


class Capture:
    """The four bodies of one request: the client's, the converted ones, the upstream's, the client's answer.

    What finds no `room` is left out, and `truncated` says so. Seconds count from the request's beginning.
    """

    def __init__(
        self,
        room: Room,
        clock: Callable[[], float],
        began: float,
        line: tuple[str, str, str],
        headers: Iterable[tuple[str, str]],
        body: bytes,
    ) -> None:
        listed = list(headers)
        self.method, self.path, self.query = line
        self.headers = harmless(listed)
        self.sent: list[Sent] = []
        self.answer = Flow()
        self.truncated = False
        self.size = 0
        self.models: list[tuple[ModelConfig, Profile | None]] = []
        """The models that were asked, in order, each with its profile if that is not only the entry's."""
        self._filler: Filler | None = None
        self._masks = KeyMasks()
        self._masks.learn(listed)
        self._room = room
        self._clock = clock
        self._began = began
        self.body = self._kept(body)

    # --- while it happens -----------------------------------------------------------------------------
    def tap(self, send: Send) -> Send:
        """`send` (ASGI), and everything that goes out through it."""

        async def sending(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self.answer.status = message["status"]
                listed = message["headers"]
                self.answer.headers = harmless(
                    (name.decode(), value.decode("latin-1")) for name, value in listed
                )
            elif data := message.get("body"):
                self._add(self.answer, data)
            await send(message)

        return sending

    async def post(self, client: Poster, body: bytes, keys: Iterable[str]) -> Response:
        """Send `body` by way of `client`, with `keys` in some of its headers; see its `post`."""
        listed = client.headers.items()
        self._masks.learn(listed)
        self._masks.add(keys)
        url = client.url.partition("?")[0]
        sent = Sent(url, self._now(), harmless(listed), self._kept(body))
        self.sent.append(sent)
        try:
            response = await client.post(body)
        except ApiError as error:
            sent.error = error.message
            raise
        sent.response.status = response.status
        sent.response.headers = harmless(response.headers.items())
        return _Heard(response, lambda data: self._add(sent.response, data), sent.response)

    def _now(self) -> float:
        return round(self._clock() - self._began, 6)

    def _kept(self, data: bytes) -> bytes:
        if not self._room.take(len(data)):
            self.truncated = True
            return b""
        self.size += len(data)
        return data

    def _add(self, flow: Flow, data: bytes) -> None:
        if kept := self._kept(data):
            flow.pieces.append((self._now(), kept))

    def release(self) -> None:
        """Give the room back: nothing of this is held any more."""
        self._room.held -= self.size
        self.size = 0

    # --- afterwards -----------------------------------------------------------------------------------
    def document(
        self, record: Mapping[str, Any], notices: Iterable[Notice], *, redact: bool = False
    ) -> dict[str, Any]:
        """All of it as JSON for `wire.dumps` (docs/observing.md has the format), without a key.

        `record` are the facts of the request, `notices` what its conversion did not carry over. `redact`:
        with filler in the place of texts.
        """
        self._filler = Filler(self.body) if redact else None
        return {
            "version": VERSION,
            "truncated": self.truncated,
            "redacted": redact,
            "record": self._json(record),
            "models": [self._json(_entry(*model)) for model in self.models],
            "request": {
                "method": self.method,
                "path": self.path,
                "query": _QUERY.sub("***", self.query),
                "headers": self._hidden(self.headers),
                "body": self._body(self.body),
            },
            "upstream": [
                {
                    "url": sent.url,
                    "seconds": sent.seconds,
                    "headers": self._hidden(sent.headers),
                    "body": self._body(sent.body),
                    "error": self._masks.hide(sent.error.encode()).decode(),
                    "response": self._flow(sent.response),
                }
                for sent in self.sent
            ],
            "answer": self._flow(self.answer),
            "notices": [self._json(asdict(notice)) for notice in notices],
        }

    def _json(self, value: Any) -> Any:
        return wire.written(self._masks.hide(wire.dumps(value)))

    def _hidden(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {name: self._masks.hide(value.encode()).decode() for name, value in headers.items()}

    def _body(self, data: bytes) -> Any:
        """The JSON value of a body, or the text that it is instead."""
        hidden = self._masks.hide(data)
        if self._filler is not None:
            hidden = self._filler.body(hidden)
        try:
            return wire.loads(hidden)
        except wire.WireError:
            return hidden.decode("utf-8", "replace")

    def _flow(self, flow: Flow) -> dict[str, Any]:
        # as a whole: a key may be cut in two
        hidden = self._masks.hide(b"".join(data for _, data in flow.pieces))
        if self._filler is not None:
            hidden = self._filler.flow(hidden, flow.status)
        chunks: list[dict[str, Any]] = []
        start = 0
        for seconds, data in flow.pieces:
            chunks.append({"seconds": seconds, **_written(hidden[start : start + len(data)])})
            start += len(data)
        headers = self._hidden(flow.headers)
        end = {"end": "cut", "why": flow.why} if flow.why else {"end": ""}
        return {"status": flow.status, "headers": headers, "chunks": chunks, **end}


class _Heard:
    """A `Response` whose pieces `hear` gets too."""

    def __init__(self, response: Response, hear: Callable[[bytes], None], flow: Flow) -> None:
        self.status = response.status
        self.headers = response.headers
        self._response = response
        self._hear = hear
        self._flow = flow

    @property
    def content_type(self) -> str:
        return self._response.content_type

    @property
    def at_end(self) -> bool:
        return self._response.at_end

    async def read(self) -> bytes:
        try:
            data = await self._response.read()
        except (HttpError, OSError) as error:
            self._flow.why = str(error) or type(error).__name__
            raise
        if data:
            self._hear(data)
        return data

    def close(self) -> None:
        self._response.close()


def _written(data: bytes) -> dict[str, str]:
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:  # a character is cut in two, or it is no text
        return {"base64": base64.b64encode(data).decode()}


def chunk_bytes(chunk: Mapping[str, str]) -> bytes:
    """The bytes of a chunk of a captured body."""
    return base64.b64decode(chunk["base64"]) if "base64" in chunk else chunk["text"].encode()


def _entry(config: ModelConfig, profile: Profile | None) -> dict[str, Any]:
    """The entry of models.yaml that makes `config`, but for its own headers, times and fallbacks."""
    entry: dict[str, Any] = {
        "model_id": config.model_id,
        "model_name": config.model_name,
        "api_base": config.api_base,
        "format": config.format,
    }
    if not config.can_stream:
        entry["can_stream"] = False
    if config.max_input_tokens is not None:
        entry["max_input_tokens"] = config.max_input_tokens
    overrides = dict(config.overrides)
    if profile is not None:
        overrides |= _differences(config.profile, profile, PROFILE_KEYS)
    if config.profile_name is not None:
        overrides["name"] = config.profile_name
    if overrides:
        entry["profile"] = overrides
    if config.format == "anthropic":
        entry["restore_model_name"] = config.restore_model_name
        row = providers.native_for(config.api_base, config.profile_name)
        entry |= _differences(row, config.native, NATIVE_KEYS)
    return entry


def _differences(row: object, own: object, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(own, name) for name in names if getattr(own, name) != getattr(row, name)}
