"""An upstream's answer, streamed or whole, to the client's answer, streamed or whole.

`AnswerReader` holds the one path: upstream bytes, SSE events, chunks, deltas, Anthropic events. The rest of
this page only chooses what goes in and what comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from claude_code_proxy.core import sse
from claude_code_proxy.core.answer.events import Event
from claude_code_proxy.core.answer.message import fold
from claude_code_proxy.core.answer.writer import BlockWriter
from claude_code_proxy.core.answer_context import ReplyContext
from claude_code_proxy.core.deltas import Delta, Failure, Text, Usage
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.errors.upstream import mid_stream, payload_error
from claude_code_proxy.core.openai.chat.decode import Decoder as ChatDecoder
from claude_code_proxy.core.openai.chat.decode import parse_chunk
from claude_code_proxy.core.openai.finish import overflow
from claude_code_proxy.core.openai.responses.decode import Decoder as ResponsesDecoder
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Report

_CUT = "the upstream closed the connection before the response was complete"
_DECODERS: dict[str, type[ChatDecoder] | type[ResponsesDecoder]] = {
    "chat": ChatDecoder,
    "responses": ResponsesDecoder,
}
_DAMAGED = "the upstream sent a damaged chunk; its content is lost"
_NO_ANSWER = "(The model ended its turn after reasoning, without an answer. Ask it to go on.)"
_LEAST_LIMIT = 16  # tokens; a request with less (Claude Code's check of the key asks for 1) wants no answer


class SendAgain(Exception):  # noqa: N818 - nothing that went wrong: what to do next
    """A response came to nothing before the client saw anything to act upon: send its request once more.

    `more_room`: with a higher output limit, since reasoning used up the whole of it.
    """

    def __init__(self, reason: str, *, more_room: bool = False) -> None:
        super().__init__(reason)
        self.more_room = more_room


class AnswerReader:
    """Upstream bytes in, Anthropic events out.

    A `failure` before anything was written is `error` too, for the caller to answer as an HTTP error;
    after that it becomes the terminal `error` event. `finished`: nothing more will be written, and the
    upstream need not be read any further. `ending`: it has said why it stopped, and only usage may follow.
    `again` says that this response came to nothing; `restart`, and feed the next one. It is only set where
    the request's `ReplyContext.may_repeat` is.
    """

    def __init__(self, profile: Profile, reply: ReplyContext, report: Report, request_id: str) -> None:
        self._profile = profile
        self._reply = reply
        self._report = report
        self._request_id = request_id
        self.writer = BlockWriter(profile, reply, report)
        self.failure: ApiError | None = None
        self._read_from_start()

    def _read_from_start(self) -> None:
        self.framing = sse.Decoder(self._reply.limits.event_bytes)
        self.decoder = _DECODERS[self._profile.api](self._profile, self._reply, self._report)
        self._done = False
        self._heard = False  # anything at all: content, a finish reason, token counts
        self._garbage = b""
        self.last_chunk: tuple[Any, list[Delta]] = (None, [])
        """The last chunk, parsed, and what it said."""
        self.again: SendAgain | None = None
        self.finished = False

    @property
    def started(self) -> bool:
        """`message_start` was written: the HTTP status can no longer change."""
        return self.writer.started

    @property
    def error(self) -> ApiError | None:
        """The failure, if it came before anything was written."""
        return None if self.writer.started else self.failure

    @property
    def ending(self) -> bool:
        """A finish reason was seen; usage may still follow."""
        return self.decoder.finished

    @property
    def committed(self) -> bool:
        """`again` will not be set any more."""
        return self.writer.spoke or not self._reply.may_repeat

    @property
    def usage(self) -> Usage | None:
        """The upstream's last token counts."""
        return self.writer.usage

    def feed(self, data: bytes) -> list[Event]:
        """Take the next read from the upstream."""
        try:
            events = self.framing.feed(data)
        except sse.EventTooLarge as error:
            return self.fail(ApiError(502, "api_error", f"the upstream sent {error}"))
        return self._events(events)

    def close(self) -> list[Event]:
        """The upstream ended, well or not."""
        out = self._events(self.framing.close(), cut=True)
        if not self.finished:
            out += self._end()
        return out

    def restart(self) -> None:
        """The response to the repeated request comes next; it is the last."""
        self._reply.may_repeat = False
        self._read_from_start()
        self.writer.restart()

    def begin(self) -> list[Event]:
        """Write `message_start` although nothing has come yet."""
        return self.writer.begin()

    def progress(self) -> list[Event]:
        """A keep-alive that counts as progress."""
        return self.writer.progress()

    def fail(self, error: ApiError) -> list[Event]:
        """End the answer with `error`; before anything was written, only remember it."""
        self.failure, self.finished = error, True
        if not self.writer.started:
            return []
        return self.writer.fail(mid_stream(error), self._request_id)

    def answer(self, body: Any) -> list[Event]:
        """A whole answer instead of a stream."""
        out = self.write(self.decoder.answer(body))
        return out if self.finished else out + self._end_well()

    def _events(self, events: list[sse.Event], *, cut: bool = False) -> list[Event]:
        out: list[Event] = []
        for event in events:
            if self.finished:
                break
            if event.data.strip() == b"[DONE]":
                self._done = True
                out += self._end()
            else:
                out += self._chunk(event, cut=cut)
        return out

    def _chunk(self, event: sse.Event, *, cut: bool) -> list[Event]:
        payload = parse_chunk(event.data)
        if event.name == "error" and not (self.decoder.READS_ERRORS and isinstance(payload, dict)):
            shaped = payload if isinstance(payload, dict) else {"error": _text(event.data)}
            error = payload_error(shaped, self._reply.errors)
            return self._failed(
                error or ApiError(500, "api_error", f"the upstream failed: {_text(event.data)}")
            )
        if payload is None:
            if event.data.lstrip()[:1] == b"{" and not (self.ending or self.framing.is_document):
                return self.fail(ApiError(502, "api_error", _CUT if cut else _DAMAGED, retryable=True))
            if not self._garbage:
                self._garbage = event.data
                self._report.dropped("chunk_not_json", "upstream", "a chunk that is not JSON was ignored")
            return []
        decoder = self.decoder
        if not decoder.begun and isinstance(payload, dict) and payload.get("object") == decoder.WHOLE:
            return self.answer(payload)  # JSON where a stream was asked for
        deltas = decoder.chunk(payload)
        self.last_chunk = payload, deltas
        out = self.write(deltas)
        if decoder.complete and not self.finished:
            return out + self._end()
        if self.writer.stopped and not self.finished:
            out += self._end_well()
        return out

    def write(self, deltas: Sequence[Delta]) -> list[Event]:
        """Write what a chunk said; a `Failure` in it ends the answer."""
        if deltas:
            self._heard = True
        if Failure not in map(type, deltas):
            return self.writer.write(deltas)
        at, failure = next((at, delta) for at, delta in enumerate(deltas) if isinstance(delta, Failure))
        return self.writer.write(deltas[:at]) + self._failed(failure.error)

    def _failed(self, error: ApiError) -> list[Event]:
        """The upstream itself reports an error."""
        if self._reply.may_repeat and error.retryable and self.writer.silent:
            self.again, self.finished = SendAgain(error.message), True
            return []
        return self.fail(error)

    def _end(self) -> list[Event]:
        """No more is coming: decide whether that was all of the answer."""
        out = self.write(self.decoder.end())
        if self.finished:
            return out
        if not self._heard:
            return out + self.fail(self._nothing())
        if not self.decoder.finished:
            tool = self.writer.open_tool
            whole = (
                tool != "partial"
                if self._done
                else self._profile.lenient_eof and tool in ("none", "complete")
            )
            if not whole:
                return out + self.fail(ApiError(502, "api_error", _CUT, retryable=True))
        return out + self._end_well()

    def _end_well(self) -> list[Event]:
        """The response is complete; one without anything to act upon is not what was asked for."""
        self.finished = True
        writer, finish = self.writer, self.writer.finish
        if not writer.silent:
            return writer.end()
        reason = finish.reason if finish is not None else "end_turn"
        if reason == "model_context_window_exceeded":
            return self.fail(overflow(self._reply.errors))
        if finish is not None and finish.unknown:
            message = f"the upstream sent no content and finish_reason {finish.unknown!r}"
            return self.fail(ApiError(502, "api_error", message))
        reasoned = writer.reasoned or (writer.usage is not None and writer.usage.thinking_tokens)
        if not reasoned or self.decoder.skipped:
            return writer.end()
        if reason in ("end_turn", "tool_use"):
            self._report.changed("reasoning_only", "upstream", "the model reasoned and said nothing")
            if self._reply.may_repeat:
                self.again = SendAgain("reasoning only")
                return []
            return writer.write([Text(_NO_ANSWER)]) + writer.end()
        if reason == "max_tokens" and self._reply.may_repeat and self._wants_room():
            self._report.changed(
                "max_tokens_room", "max_tokens", "reasoning used all of it up: sent again with more room"
            )
            self.again = SendAgain("no room", more_room=True)
            return []
        return writer.end()

    def _wants_room(self) -> bool:
        """The limit was set for a short answer, by a client that did not ask for reasoning."""
        limit = self._reply.max_tokens
        return not self._reply.show_thinking and _LEAST_LIMIT <= limit < self._profile.thinking_room

    def _nothing(self) -> ApiError:
        if self._garbage:
            message = f"the upstream's response is not a chat completion: {_text(self._garbage)}"
            return ApiError(502, "api_error", message)
        if self._done:
            return ApiError(502, "api_error", "the upstream ended the response without any content")
        return ApiError(502, "api_error", "the upstream sent an empty response", retryable=True)


class StreamConverter:
    """Upstream bytes in, the client's event-stream bytes out; `reader` does the work."""

    def __init__(self, profile: Profile, reply: ReplyContext, report: Report, request_id: str) -> None:
        self.reader = AnswerReader(profile, reply, report, request_id)

    @property
    def started(self) -> bool:
        """`message_start` was written."""
        return self.reader.started

    @property
    def finished(self) -> bool:
        """The terminal event was written, or `error` is set: stop reading."""
        return self.reader.finished

    @property
    def ending(self) -> bool:
        """A finish reason was seen; wait only briefly for usage."""
        return self.reader.ending

    @property
    def error(self) -> ApiError | None:
        """The failure that came before anything was written."""
        return self.reader.error

    @property
    def again(self) -> SendAgain | None:
        """This response came to nothing: send its request again, `restart`, and feed the next one."""
        return self.reader.again

    @property
    def usage(self) -> Usage | None:
        """The upstream's last token counts."""
        return self.reader.usage

    def feed(self, data: bytes) -> bytes:
        """Take the next read; the bytes to send, perhaps none."""
        return sse.encode_all(self.reader.feed(data))

    def close(self) -> bytes:
        """The upstream ended."""
        return sse.encode_all(self.reader.close())

    @property
    def committed(self) -> bool:
        """`again` will not be set any more."""
        return self.reader.committed

    def restart(self) -> None:
        """The response to the repeated request comes next."""
        self.reader.restart()

    def begin(self) -> bytes:
        """`message_start`, now."""
        return sse.encode_all(self.reader.begin())

    def progress(self) -> bytes:
        """A keep-alive that counts as progress."""
        return sse.encode_all(self.reader.progress())

    def fail(self, error: ApiError) -> bytes:
        """The terminal `error` event."""
        return sse.encode_all(self.reader.fail(error))

    def answer(self, body: Any) -> bytes:
        """A whole upstream answer, replayed as a stream."""
        return sse.encode_all(self.reader.answer(body))


class StreamFold:
    """Upstream bytes in, one message out: for an upstream that streams although nobody asked it to."""

    def __init__(self, profile: Profile, reply: ReplyContext, report: Report) -> None:
        self._reader = AnswerReader(profile, reply, report, "")
        self._report = report
        self._events: list[Event] = []

    @property
    def finished(self) -> bool:
        """Stop reading."""
        return self._reader.finished

    def feed(self, data: bytes) -> None:
        """Take the next read."""
        self._events += self._reader.feed(data)

    def close(self) -> tuple[dict[str, Any], Usage | None]:
        """The message and its token counts. Raises what `message_from_answer` raises."""
        if not self._reader.finished:
            self._events += self._reader.close()
        return _message(self._reader, self._events, self._report)


def message_from_answer(
    body: Any, profile: Profile, reply: ReplyContext, report: Report
) -> tuple[dict[str, Any], Usage | None]:
    """A whole upstream answer as a Messages API message, with its token counts.

    Raises `ApiError`, and `SendAgain` where `reply.may_repeat` is set.
    """
    reader = AnswerReader(profile, reply, report, "")
    return _message(reader, reader.answer(body), report)


def _message(
    reader: AnswerReader, events: list[Event], report: Report
) -> tuple[dict[str, Any], Usage | None]:
    if reader.failure is not None:
        raise reader.failure
    if reader.again is not None:
        raise reader.again
    return fold(events, report), reader.usage


def _text(data: bytes) -> str:
    return data[:500].decode("utf-8", "replace").strip()
