"""An embedded OpenAI-compatible provider: a bare ASGI app that answers by rules, or by a script.

Endpoints: `GET /v1/models`, `POST /v1/chat/completions`, `POST /v1/responses`, and `POST /demo/script`, which
queues scripted replies (`script.Reply`) as `{"replies": [...]}`. Any model id is served, and parts of it mean
something:

    reason          the model streams `reasoning_content` before its answer
    strict-reason   ... and refuses a history whose tool calls come without it
    small-8k        the model refuses prompts over 8,000 tokens; any number will do
    no-such-model   the model does not exist

Any bearer key but `bad` is accepted.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from claude_code_proxy.core import wire
from claude_code_proxy.demo import responses, rules, strictness
from claude_code_proxy.demo.chat_answer import Completion, PromptCache, complete
from claude_code_proxy.demo.replies import DONE, Reply, Script, error_body, sse

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MODELS = ("demo", "demo-reason", "demo-strict-reason", "demo-small-8k")
_SMALL = re.compile(r"small-(\d+)k")
_REMEMBERED = 1000
_BODY_LIMIT = 64 * 1024 * 1024
_JSON = {"content-type": "application/json"}
_STREAM = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}


@dataclass(slots=True, eq=False)
class RecordedRequest:
    """A request as it arrived. `headers` have lower-case names; `body` is the parsed JSON, or the bytes.

    `disconnected` turns true when the caller goes away before its answer is complete; `done` when this
    provider has nothing more to do with the request.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: Any = None
    disconnected: bool = False
    done: bool = False


class _CallerGone(Exception):  # noqa: N818 - a reason to stop, not an error
    """The caller dropped the connection."""


class Provider:
    """The ASGI app. `script` holds queued replies, `requests` the latest thousand, `models` its list.

    `delay` is the pause between two chunks of a stream in seconds: a person wants to see the text flow.
    """

    def __init__(self, script: Script | None = None, *, delay: float = 0.0) -> None:
        self.script = script or Script()
        self.delay = delay
        self.models: list[dict[str, Any]] = [
            {"id": name, "object": "model", "created": 0, "owned_by": "demo"} for name in MODELS
        ]
        self.requests: deque[RecordedRequest] = deque(maxlen=_REMEMBERED)
        self._cache = PromptCache()
        self._answered = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        assert scope["type"] == "http", "the provider's server runs without lifespan and websockets"
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        request = RecordedRequest(scope["method"], scope["path"], headers)
        exchange = _Exchange(request, receive, send)
        try:
            raw = await exchange.read()
            request.body = _parsed(raw)
            self.requests.append(request)
            async with exchange:
                await self._route(exchange, raw)
        except _CallerGone:
            request.disconnected = True
        finally:
            request.done = True

    async def _route(self, exchange: _Exchange, raw: bytes) -> None:
        request = exchange.request
        match request.method, request.path:
            case "POST", "/demo/script":
                await self._queue(exchange)
            case "POST", "/v1/chat/completions":
                if not await self._refuse_key(exchange):
                    await self._answer(exchange, raw, self._chat)
            case "POST", "/v1/responses":
                if not await self._refuse_key(exchange):
                    await self._answer(exchange, raw, self._responses)
            case "GET", "/v1/models":
                if not await self._refuse_key(exchange):
                    await exchange.json(200, {"object": "list", "data": self.models})
            case _:
                message = f"No such endpoint: {request.method} {request.path}"
                await exchange.json(404, error_body(message, code="unknown_url"))

    async def _refuse_key(self, exchange: _Exchange) -> bool:
        """Answer 401 unless there is a key that is accepted; say whether that was the answer."""
        scheme, _, key = exchange.request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and key.strip() not in ("", "bad"):
            return False
        message = (
            "Incorrect API key provided." if key else "You did not provide an API key: use a Bearer token."
        )
        await exchange.json(401, error_body(message, code="invalid_api_key"))
        return True

    async def _queue(self, exchange: _Exchange) -> None:
        try:
            queued = self.script.load(exchange.request.body)
        except msgspec.ValidationError as error:
            await exchange.json(400, error_body(str(error)))
        else:
            await exchange.json(200, {"queued": queued})

    async def _answer(
        self, exchange: _Exchange, raw: bytes, answer: Callable[[_Exchange], Awaitable[None]]
    ) -> None:
        """Play the scripted reply if there is one, else `answer`, in the request's own format."""
        if (reply := self.script.take(raw)) is not None:
            await exchange.play(reply)
            return
        try:
            await answer(exchange)
        except strictness.Refusal as refusal:
            error = error_body(refusal.message, param=refusal.param, code=refusal.code)
            await exchange.json(refusal.status, error)

    async def _chat(self, exchange: _Exchange) -> None:
        body = exchange.request.body
        completion = self._complete(body)
        if not body.get("stream"):
            await exchange.json(200, completion.document())
            return
        include_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        await exchange.start(200, _STREAM)
        for chunk in completion.chunks(include_usage=include_usage):
            await exchange.write(sse(chunk))
            await exchange.pause(self.delay)
        await exchange.write(DONE)
        await exchange.end()

    async def _responses(self, exchange: _Exchange) -> None:
        body = exchange.request.body
        completion = self._complete(responses.to_chat(body))
        summary = bool((body.get("reasoning") or {}).get("summary"))
        if not body.get("stream"):
            await exchange.json(200, responses.document(completion, summary=summary))
            return
        await exchange.start(200, _STREAM)
        for event in responses.events(completion, summary=summary):
            await exchange.write(b"event: %b\n" % event["type"].encode() + sse(event))
            await exchange.pause(self.delay)
        await exchange.end()

    def _complete(self, body: Any) -> Completion:
        """Answer a Chat Completions request by the rules. Raises `checks.Refusal` before anything is sent."""
        strictness.check(body)
        prompt = self._cache.count(body)
        _check_size(body["model"], prompt.tokens)
        self._answered += 1
        return complete(
            rules.answer(body), body, number=self._answered, created=int(time.time()), prompt=prompt
        )


class _Exchange:
    """One request and its answer; as a context it watches for the caller to go away."""

    def __init__(self, request: RecordedRequest, receive: Receive, send: Send) -> None:
        self.request = request
        self._receive = receive
        self._send = send
        self._gone = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._watch = asyncio.create_task(self._wait_until_gone())

    async def __aexit__(self, *_: object) -> None:
        assert self._watch is not None
        self._watch.cancel()
        with suppress(asyncio.CancelledError):
            await self._watch

    async def _wait_until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone.set()

    async def read(self) -> bytes:
        """The whole request body."""
        parts = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise _CallerGone
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > _BODY_LIMIT:
                raise _CallerGone  # nobody needs that much of a demo
            if not message.get("more_body"):
                return b"".join(parts)

    async def pause(self, seconds: float) -> None:
        """Wait; raises `_CallerGone` as soon as there is nobody left to answer."""
        if seconds <= 0:
            await asyncio.sleep(0)
        else:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), seconds)
        if self._gone.is_set():
            raise _CallerGone

    async def start(self, status: int, headers: dict[str, str]) -> None:
        """Send the status line and the headers."""
        pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})

    async def write(self, data: bytes) -> None:
        """Send a part of the body."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        """Complete the body."""
        await self._send({"type": "http.response.body", "body": b""})

    async def json(self, status: int, body: Any) -> None:
        """Send one JSON document as the whole answer."""
        data = wire.dumps(body)
        await self.start(status, {**_JSON, "content-length": str(len(data))})
        await self._send({"type": "http.response.body", "body": data})

    async def play(self, reply: Reply) -> None:
        """Send a scripted reply."""
        await self.pause(reply.delay)
        await self.start(reply.status, reply.headers)
        for chunk in reply.chunks:
            await self.pause(chunk.delay)
            await self.write(chunk.payload)
        if reply.end == "close":
            await self.end()
        elif reply.end == "stall":
            await self._gone.wait()
            raise _CallerGone
        # A cut needs no more: the server drops a connection whose answer was left incomplete.


def _parsed(raw: bytes) -> Any:
    try:
        return wire.loads(raw)
    except wire.WireError:
        return raw


def _check_size(model: str, tokens: int) -> None:
    """Refuse a prompt beyond the window that a small model's id names, as OpenAI words it."""
    if (small := _SMALL.search(model)) and tokens > (window := int(small[1]) * 1000):
        raise strictness.Refusal(
            f"This model's maximum context length is {window} tokens. "
            f"However, your messages resulted in {tokens} tokens.",
            "messages",
            code="context_length_exceeded",
        )
