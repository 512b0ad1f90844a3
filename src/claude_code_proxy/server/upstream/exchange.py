"""The way of one request to its upstream and of the answer back: open, hold, watch, relay, cancel.

Both paths, converted and passed through, go through here. What it promises:

- The status line waits for the first thing worth sending or for the hold limit. Until then every failure is
  a plain HTTP error, and connection errors and 502/503/504 are tried again. Afterwards a failure is an
  `event: error`, and nothing ends as if it were complete. Only a response that came to nothing
  (`Translator.again`) is asked for once more.
- While the upstream is silent the client hears pings, and less often an event that counts as progress.
- The client going away cancels whatever runs for it, at once, and closes the upstream's connection.
- One timer and one watching task per request, however many chunks pass.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self

from claude_code_proxy.core import sse
from claude_code_proxy.core.convert_answer import SendAgain
from claude_code_proxy.core.deltas import Usage
from claude_code_proxy.core.errors.api import ApiError, let_go
from claude_code_proxy.core.errors.upstream import transport_error
from claude_code_proxy.core.header_values import retry_delay
from claude_code_proxy.server.caller.call import Call, HeaderList
from claude_code_proxy.server.log import logger
from claude_code_proxy.server.upstream import failures, forwarded_headers, key_proof
from claude_code_proxy.server.upstream.keep_alive import KeepAlive, Timer
from claude_code_proxy.server.upstream.limits import Limits
from claude_code_proxy.server.upstream.upstreams import UpstreamClient
from claude_code_proxy.transports.protocol import Response

RETRIED = frozenset((502, 503, 504))
"""The statuses after which `Exchange.open` tries again."""
_MOST_OF_REFUSAL = 1 << 20  # bytes
_SLICE = 32 << 10  # bytes that are translated at once: the smallest events take the longest
_FIRST_DELAY = 0.5  # seconds before the first retry, doubled for each further one
_LONGEST_DELAY = 8.0


class Translator(Protocol):
    """Upstream bytes in, whole events for the client out (`StreamConverter`, `NativeStream`)."""

    @property
    def started(self) -> bool:
        """Whether there was something worth sending."""

    @property
    def finished(self) -> bool:
        """Whether the terminal event is out: nothing the upstream still sends matters."""

    @property
    def ending(self) -> bool:
        """Whether the upstream has said why it stopped: what follows is worth a short wait only."""

    @property
    def error(self) -> ApiError | None:
        """A failure that the upstream reported before anything was worth sending."""

    @property
    def usage(self) -> Usage | None:
        """Token counts, when the upstream sent them."""

    @property
    def again(self) -> SendAgain | None:
        """Why the request should be sent once more before the answer ends, if it should."""

    @property
    def committed(self) -> bool:
        """`again` will not be set any more."""

    def feed(self, data: bytes) -> bytes:
        """Take the next read."""

    def close(self) -> bytes:
        """The upstream ended its answer."""

    def begin(self) -> bytes:
        """The hold limit is reached: what can be said before the upstream says anything."""

    def progress(self) -> bytes:
        """An event that counts as progress and changes nothing."""

    def fail(self, error: ApiError) -> bytes:
        """The terminal error event."""


class Exchange:
    """One request on its way. Use as `async with`; `open` first, then `relay` or `read_all`.

    `translator` makes the translator of a streamed answer when it is needed; None for a whole answer, which
    then hears nothing while it waits. `stream_headers` go out with a streamed answer.
    """

    def __init__(
        self, call: Call, limits: Limits, translator: Callable[[], Translator] | None = None
    ) -> None:
        self.call = call
        self.stream_headers: HeaderList = forwarded_headers.STREAM
        self._limits = limits
        self._make_translator = translator
        self._translator: Translator | None = None
        self._loop = asyncio.get_running_loop()
        self._keep_alive = KeepAlive(limits, self._loop.time(), streams=translator is not None)
        self._timer = Timer(self._loop, self._look)
        self._speech: asyncio.Task[None] | None = None  # a keep-alive being written
        self._verdict: ApiError | None = None  # why the timer cancelled the task
        self._settled = False  # the timer ended the wait for an upstream that was done
        self._response: Response | None = None
        self._unread = b""  # what was read and is still to be translated
        self._answered_at = 0.0
        self._api_base = ""
        self.request = b""
        """The body that was sent, as long as it may have to be sent again."""

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._unwatch = self.call.watch()
        self._timer.start(min(self._limits.hold, self._limits.first_byte))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Turn what ended the exchange into the end of the answer, and leave nothing behind."""
        self._keep_alive.waiting_since = None
        try:
            dealt_with = error is not None and await self._end_badly(error)
            if dealt_with:
                let_go(error)
            return dealt_with
        finally:
            self._timer.stop()
            self._unwatch()
            if self._speech is not None:
                self._speech.cancel()
            if self._response is not None:
                self._response.close()  # a connection whose answer has come to its end is kept

    # --- towards the upstream -------------------------------------------------------------------------
    async def open(self, client: UpstreamClient, body: bytes) -> Response:
        """Send the request; return the response, of whatever status, when its headers are there.

        Tries again while nothing has reached the client. Raises `ApiError` when no response comes.
        """
        call, keep_alive = self.call, self._keep_alive
        self._api_base = client.config.api_base
        self.request = body
        keep_alive.answering = False
        if self._response is not None:  # it said what to correct; its connection can serve this request
            self._response.close()
            self._response, self._unread = None, b""
        keep_alive.waiting_since = self._loop.time()
        tries = 0
        renewable = call.session_keys is not None
        while True:
            client = key_proof.put(call, client, body)
            last = tries >= self._limits.retries or call.started
            try:
                call.attempts += 1
                if (capture := call.capture) is None:
                    response = await client.post(body)
                else:
                    response = await capture.post(client, body, key_proof.secrets(call))
            except ApiError as error:
                call.upstream_errors += ("connection",)
                if last or not error.retryable or call.started:
                    raise
            else:
                if response.status < 400:
                    break
                call.upstream_errors += (str(response.status),)
                if renewable and not call.started and key_proof.is_refused(response):
                    renewable, self._response = False, response  # once
                    if await key_proof.renew(call, client, response):
                        response.close()
                        continue
                wait = retry_delay(response.headers.get("retry-after") or "")
                if last or call.started or response.status not in RETRIED or wait > _LONGEST_DELAY:
                    break
                response.close()
            tries += 1
            delay = min(_FIRST_DELAY * 2 ** (tries - 1), _LONGEST_DELAY)
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret
        keep_alive.waiting_since = None
        self._response = response
        self._answered_at = self._loop.time()
        call.note_upstream(client.config.model_name, forwarded_headers.upstream_request_id(response.headers))
        return response

    async def read_all(self) -> bytes:
        """The whole body, or the beginning of a large refusal. Raises `ApiError` if cut, slow or large."""
        parts: list[bytes] = []
        size = 0
        most = _MOST_OF_REFUSAL if self._response and self._response.status >= 400 else math.inf
        limit = self._limits.response_bytes
        while size < most and (data := await self._read()):
            size += len(data)
            if size > limit:
                raise failures.too_large(self._api_base, limit, "max_response_bytes")
            parts.append(data)
        return b"".join(parts)

    async def _read(self) -> bytes:
        """What the upstream sent since the last read; b"" at the end of its answer."""
        assert self._response is not None
        keep_alive = self._keep_alive
        now = keep_alive.waiting_since = self._loop.time()
        if now - self._answered_at > self._limits.answer:
            raise failures.too_slow(self._api_base, self._limits.answer)
        try:
            data = await self._response.read()
        except failures.READ_FAILURES as error:
            raise failures.cut_error(error, self._api_base) from None
        keep_alive.waiting_since = None
        keep_alive.answering = True
        return data

    async def _read_or_settle(self) -> bytes:
        """As `_read`, `_SLICE` bytes at most; b"" too when an upstream that is done keeps its connection."""
        try:
            if self._unread:
                await asyncio.sleep(0)  # others have their turn
                data = self._unread
            else:
                data = await self._read()
            self._unread = data[_SLICE:]
            return data[:_SLICE]
        except asyncio.CancelledError:
            if not self._settled or self.call.gone:
                raise
            self._task.uncancel()
            self._keep_alive.waiting_since = None
            return b""

    async def meanwhile(self, task: asyncio.Task[Any]) -> None:
        """Wait for a task that has time limits of its own; the client hears that it must wait."""
        self._keep_alive.answering, self._keep_alive.waiting_since = True, math.inf
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait({task})
            let_go(None if task.cancelled() else task.exception())
            raise
        self._keep_alive.waiting_since = None
        if self._speech is not None:
            await self._speech
            self._speech = None

    # --- towards the client ---------------------------------------------------------------------------
    async def relay(self) -> None:
        """Read the response to its end through the translator and write what comes out to the client.

        Where the translator then wants the request sent `again`, the answer is not ended.
        """
        translator, limit = self.translator, self._limits.stream_bytes
        last = b""
        size = 0
        while not translator.finished:
            data = await self._read_or_settle()
            size += len(data)
            if size > limit:
                raise failures.too_large(self._api_base, limit, "max_stream_bytes")
            out = translator.feed(data) if data else translator.close()
            if not self.call.started and translator.error is not None:
                raise translator.error
            if out:
                last = out
                await self.write(out, more=translator.again is not None or not translator.finished)
            if self.request and translator.committed:
                self.request = b""
            if not data:
                break
        self.call.failure = failures.told_failure(last)
        if translator.again is None:
            await self.finish()

    async def replay(self) -> None:
        """Read a whole answer and write it to the client as a stream, as `relay` does."""
        translator = self.translator
        data = await self.read_all()
        out = translator.feed(data) + translator.close()
        if translator.error is not None and not self.call.started:
            raise translator.error
        if out:
            await self.write(out, more=translator.again is not None)
        self.call.failure = failures.told_failure(out)
        if translator.again is None:
            await self.finish()

    async def finish(self) -> None:
        """End the streamed answer, and let the upstream end its own so that the connection is reused."""
        if not self.call.ended:
            await self.write(b"", more=False)
        self.call.usage = self.translator.usage
        response = self._response
        if response is None or response.at_end:
            return
        try:
            async with asyncio.timeout(self._limits.linger):
                while await response.read():
                    pass
        except failures.READ_FAILURES:  # a time-out is an OSError
            return  # it is not reused; leaving the exchange closes it

    @property
    def translator(self) -> Translator:
        """The translator of this streamed answer."""
        if self._translator is None:
            assert self._make_translator is not None
            self._translator = self._make_translator()
        return self._translator

    async def write(self, data: bytes, *, more: bool = True) -> None:
        """Send the client a piece of a streamed answer, after what is being said already."""
        if self._speech is not None:
            await self._speech
            self._speech = None
        await self._send(data, more=more)
        self._keep_alive.idle_since = self._keep_alive.quiet_since

    async def _send(self, data: bytes, *, more: bool = True) -> None:
        if not self.call.started:
            await self.call.start(200, self.stream_headers)
        await self.call.write(data, more=more)
        self._keep_alive.quiet_since = self._loop.time()

    # --- the timer ------------------------------------------------------------------------------------
    def _look(self, now: float) -> float:
        """Do what is due; the seconds until the timer should look again."""
        translator = self._translator
        due = self._keep_alive.due(
            now,
            started=self.call.started,
            ending=translator is not None and translator.ending,
            speaking=self._speech is not None and not self._speech.done(),
            sending_since=self.call.sending_since,
        )
        match due.action:
            case "begin":
                self._speak(self.translator.begin())
            case "progress":
                self._keep_alive.idle_since = now
                self._speak(self.translator.progress() or sse.PING)
            case "ping":
                self._speak(sse.PING)
            case "settle":
                self._settled = True
                self._task.cancel()
            case "client_stalled":
                self.call.gone = True
                self._task.cancel()
            case "timeout_first_byte" | "timeout_idle" as kind:
                limit = self._limits.idle if kind == "timeout_idle" else self._limits.first_byte
                detail = f"nothing came for {limit:g} s"
                self._verdict = transport_error(kind, detail, api_base=self._api_base)
                self._task.cancel()
            case "wait":
                pass
        return due.seconds

    def _speak(self, events: bytes) -> None:
        self._speech = self._loop.create_task(self._send(events))

    # --- the end --------------------------------------------------------------------------------------
    async def _end_badly(self, error: BaseException) -> bool:
        """End the answer that `error` broke off; False when it shall be raised on."""
        if isinstance(error, asyncio.CancelledError):
            self._task.uncancel()
            if self.call.gone:
                return True
            outcome = self._verdict or ApiError(
                529, "overloaded_error", "the proxy is shutting down; try again"
            )
        elif isinstance(error, ApiError):
            outcome = error
        else:
            if not self.call.started:
                return False
            logger.error("%s failed", self.call.request_id, exc_info=error)
            outcome = ApiError(500, "api_error", "an internal error of the proxy ended the response")
        if not self.call.started:
            raise outcome from None
        self.call.failure = outcome.message
        if self._make_translator is None:
            return True  # a whole answer that its client did not take: the server closes the connection
        if not self.call.ended:
            await self.write(self.translator.fail(self.call.redacted(outcome)), more=False)
        self.call.usage = self.translator.usage
        return True
