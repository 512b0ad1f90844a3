"""A passthrough stream: the upstream's bytes as they are, read along the way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import filterfalse
from operator import methodcaller
from typing import Any

from claude_code_proxy.core import sse, wire
from claude_code_proxy.core.convert_answer import SendAgain
from claude_code_proxy.core.deltas import Usage
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.server.passthrough import splice

MAX_HELD = 16 << 20
"""Bytes of an unfinished event that are held back; a larger one passes piece by piece, unread."""

_TYPE = re.compile(
    rb'"type"\s*:\s*"(message_start|message_delta|message_stop|error|content_block_st(?:art|op))"'
)
_START = b'"message_start"'
_is_delta = methodcaller("startswith", b"event: content_block_delta")
_COUNTS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_EMPTY_DELTAS = {
    "text": {"type": "text_delta", "text": ""},
    "thinking": {"type": "thinking_delta", "thinking": ""},
    "tool_use": {"type": "input_json_delta", "partial_json": ""},
}


class NativeStream:
    """Whole events through, unchanged; the `Translator` of the exchange for passthrough.

    `model` is the name to put back into `message_start`, None to leave it. Holding back an unfinished event
    until its end is what lets pings go between events only.
    """

    def __init__(self, model: str | None, request_id: str) -> None:
        self.started = False
        self.finished = False
        self.error: ApiError | None = None
        self.usage: Usage | None = None
        self.again: SendAgain | None = None  # never: what the upstream said is passed on
        self.committed = True
        self._model = model
        self._request_id = request_id
        self._held = bytearray()
        self._unread = False  # inside an event too large to be held
        self._open: tuple[int, str] | None = None  # index and type of the open block
        self._ended = False  # the upstream said itself how it ended
        self._counts: dict[str, int] = {}

    @property
    def ending(self) -> bool:
        """The upstream has said how it ended."""
        return self._ended

    def feed(self, data: bytes) -> bytes:
        """Take a read; return every event it completed."""
        self._held += data
        # an end of event may have been cut by the read: look back three bytes
        end = _last_end(self._held, max(0, len(self._held) - len(data) - 3))
        if not end:
            if len(self._held) <= MAX_HELD and not self._unread:
                return b""
            self._unread = True
            return self._release(len(self._held))
        if self._unread:
            self._unread = False
            return self._release(end)
        whole = bytes(self._held[:end])
        del self._held[:end]
        self.started = True
        return self._read_events(whole)

    def close(self) -> bytes:
        """The upstream ended its answer: an end that it did not announce is an error."""
        rest = self._read_events(bytes(self._held)) if self._held else b""
        self._held.clear()
        self.started = self.started or bool(rest)
        if self._ended:
            return rest
        error = ApiError(502, "api_error", "the upstream ended its response before it was complete")
        if not self.started:
            self.error = error
            return b""
        return rest + self.fail(error)

    def begin(self) -> bytes:
        """What can be said before the upstream's own `message_start`."""
        return sse.PING

    def progress(self) -> bytes:
        """An empty delta of the open block, or a neutral `message_delta`; a ping before the start."""
        if not self.started:
            return sse.PING
        if self._open is None:
            delta = {"stop_reason": None, "stop_sequence": None}
            return sse.encode({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 0}})
        index, kind = self._open
        if kind not in _EMPTY_DELTAS:
            return sse.PING
        return sse.encode({"type": "content_block_delta", "index": index, "delta": _EMPTY_DELTAS[kind]})

    def fail(self, error: ApiError) -> bytes:
        """The terminal error event; an unfinished event of the upstream is dropped."""
        self._held.clear()
        self.finished = True
        separator = b"\n\n" if self._unread else b""
        return separator + sse.encode(error.envelope(self._request_id))

    def _release(self, size: int) -> bytes:
        data = bytes(self._held[:size])
        del self._held[:size]
        self.started = True
        return data

    def _read_events(self, whole: bytes) -> bytes:
        """Note what whole events say; return them, the first with the model's name put back."""
        if self._model is not None and _START in whole:
            whole, self._model = _restore(whole, self._model), None
        for event in filterfalse(_is_delta, sse.END_OF_EVENT.split(whole)):
            found = _TYPE.search(event)
            if found is not None:
                self._note(found[1], event)
        return whole

    def _note(self, kind: bytes, event: bytes) -> None:
        if kind == b"content_block_stop":
            self._open = None
            return
        try:
            payload = wire.loads_bounded(sse.data_of(event))
        except wire.WireError:
            return
        if not isinstance(payload, dict) or payload.get("type") != kind.decode():
            return
        if kind in (b"message_stop", b"error"):
            self._ended = self.finished = True  # whatever comes after it is nobody's
            return
        if kind == b"content_block_start":
            block = payload.get("content_block")
            if isinstance(block, dict) and isinstance(payload.get("index"), int):
                self._open = (payload["index"], str(block.get("type")))
            return
        holder = payload.get("message") if kind == b"message_start" else payload
        if isinstance(holder, dict):
            self._count(holder.get("usage"))
        delta = payload.get("delta")
        if kind == b"message_delta" and isinstance(delta, dict) and delta.get("stop_reason"):
            self._ended = True

    def _count(self, usage: Any) -> None:
        self._counts.update(counts(usage))
        self.usage = usage_of(self._counts)


def _last_end(held: bytearray, start: int) -> int:
    """Where the last whole event ends that does so behind `start`; 0 where none does."""
    if held.find(b"\r", start) < 0:
        last = held.rfind(b"\n\n", start)
        return last + 2 if last >= 0 else 0
    return max((found.end() for found in sse.END_OF_EVENT.finditer(held, start)), default=0)


def counts(usage: Any) -> dict[str, int]:
    """The positive counts of a usage object; zero and null do not overwrite what was known."""
    if not isinstance(usage, dict):
        return {}
    found = {key: value for key in _COUNTS if isinstance(value := usage.get(key), int) and value > 0}
    details = usage.get("output_tokens_details")
    if isinstance(details, dict) and isinstance(details.get("thinking_tokens"), int):
        found["thinking_tokens"] = details["thinking_tokens"]
    return found


def usage_of(found: Mapping[str, int]) -> Usage | None:
    """Token counts from the numbers of a usage object; None when there were none."""
    if not found:
        return None
    return Usage(
        found.get("input_tokens", 0),
        found.get("output_tokens", 0),
        found.get("cache_read_input_tokens", 0),
        found.get("cache_creation_input_tokens", 0),
        found.get("thinking_tokens"),
    )


def _restore(whole: bytes, model: str) -> bytes:
    """`whole` with the client's name for the model in its `message_start`."""
    named_at = whole.find(_START)
    line = whole[max(whole.rfind(b"\n", 0, named_at), whole.rfind(b"\r", 0, named_at)) + 1 :]
    line = line.partition(b"\n")[0].partition(b"\r")[0]
    if not line.startswith(b"data:"):
        return whole
    try:
        named = wire.loads_bounded(line[5:])["message"]["model"]
    except (wire.WireError, LookupError, TypeError):
        return whole
    if not isinstance(named, str):
        return whole
    return whole.replace(line, splice.replace_first(line, "model", named, wire.dumps(model)), 1)
