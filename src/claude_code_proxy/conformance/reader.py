"""A strict reader of Messages API answers, streamed or whole. It shares no code with the proxy.

It accepts what the official clients accept and nothing more: exactly one `message_start`, first; block
indices 0, 1, 2 without a gap; one block open at a time; deltas that fit the open block; `message_delta` with
the stop reason and the output tokens after the last block; one terminal event, `message_stop` or `error`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

_TOOL_ID = re.compile(r"[a-zA-Z0-9_-]+")
_LINE_END = re.compile(r"\r\n|\r|\n")
_GROWS = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("thinking", ""),
    "input_json_delta": ("tool_use", "partial_json"),
}


class Violation(Exception):  # noqa: N818 - reads as what was found
    """The answer breaks the protocol; the text says how."""


@dataclass(slots=True)
class ReadBlock:
    """A content block. `text` is its text, its thinking, or the JSON of its input."""

    kind: str
    text: str = ""
    name: str = ""
    closed: bool = False


@dataclass(slots=True)
class Message:
    """What a client holds at the end. `error` is the terminal error's object."""

    blocks: list[ReadBlock] = field(default_factory=list)
    stop_reason: str | None = None
    usage: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] | None = None


def read_message(body: bytes) -> Message:
    """A whole message. Raises `Violation`."""
    document = _json(body)
    if document.get("type") != "message" or document.get("role") != "assistant":
        raise Violation(f"the body is not message: {body[:80]!r}")
    content, usage = document.get("content"), document.get("usage")
    if not isinstance(content, list) or not isinstance(usage, dict):
        raise Violation("the message lacks content or usage")
    message = Message(stop_reason=document.get("stop_reason"), usage=usage)
    ids: set[str] = set()
    for raw in content:
        kind = raw.get("type")
        block = ReadBlock(kind, closed=True)
        if kind in ("text", "thinking"):
            block.text = _text(raw, kind)
        elif kind == "tool_use":
            _check_tool(raw, ids)
            block.name, block.text = raw["name"], json.dumps(raw["input"])
        message.blocks.append(block)
    if message.stop_reason is None:
        raise Violation("the message has no stop_reason")
    return message


def read_error(body: bytes) -> dict[str, Any]:
    """The error object of an error answer. Raises `Violation` when it has not the API's shape."""
    document = _json(body)
    error = document.get("error")
    if document.get("type") != "error" or not isinstance(error, dict):
        raise Violation(f"the error body has not the API's shape: {body[:80]!r}")
    if not isinstance(error.get("type"), str) or not isinstance(error.get("message"), str):
        raise Violation("the error has no type or no message")
    return error


def read_stream(body: bytes) -> Message:
    """The message of a stream that came to its end. Raises `Violation`."""
    reader = _StreamReader()
    for name, data in _events(body):
        reader.take(name, data)
    reader.end()
    return reader.message


def _events(body: bytes) -> list[tuple[str, str]]:
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Violation(f"the stream is no UTF-8: {error.reason} at byte {error.start}") from None
    found: list[tuple[str, str]] = []
    name, data = "", list[str]()
    *lines, rest = _LINE_END.split(text)
    for line in lines:
        key, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            if data:
                found.append((name, "\n".join(data)))
            name, data = "", []
        elif key == "event":
            name = value
        elif key == "data":
            data.append(value)
    if data or rest:
        raise Violation("the stream ends inside an event")
    return found


class _StreamReader:
    def __init__(self) -> None:
        self.message = Message()
        self._started = False
        self._open: ReadBlock | None = None
        self._ids: set[str] = set()
        self._terminal = ""

    def take(self, name: str, data: str) -> None:
        event = _json(data.encode())
        kind = event.get("type")
        if self._terminal:
            raise Violation(f"{name} after {self._terminal}")
        if name != kind:
            raise Violation(f"an event named {name!r} holds a {kind!r}")
        if kind == "ping":
            return
        if kind == "error":
            self.message.error = read_error(data.encode())
            self._terminal = "error"
            return
        if (kind == "message_start") == self._started:
            raise Violation("message_start twice" if self._started else f"{kind} before message_start")
        self._started = True
        match kind:
            case "message_start":
                self._check_start(event)
            case "content_block_start":
                self._start_block(event)
            case "content_block_delta":
                self._grow(event)
            case "content_block_stop":
                self._current(event).closed = True
                self._open = None
            case "message_delta":
                self._message_delta(event)
            case "message_stop":
                self._stop()
            case _:
                raise Violation(f"an unknown event {kind!r}")

    def end(self) -> None:
        if not self._terminal:
            raise Violation("the stream ends without a terminal event")

    def _check_start(self, event: dict[str, Any]) -> None:
        message = event.get("message")
        if not isinstance(message, dict) or message.get("role") != "assistant" or message.get("content"):
            raise Violation("message_start holds no empty assistant message")
        self.message.usage.update(_usage(message))

    def _start_block(self, event: dict[str, Any]) -> None:
        if self._open is not None:
            raise Violation("a block starts while another is open")
        if self.message.stop_reason is not None:
            raise Violation("a block starts after the stop reason")
        if event.get("index") != len(self.message.blocks):
            raise Violation(f"block {event.get('index')} where {len(self.message.blocks)} was due")
        raw = event.get("content_block")
        if not isinstance(raw, dict):
            raise Violation("content_block_start without a block")
        self._open = ReadBlock(raw.get("type", ""))
        if self._open.kind == "tool_use":
            _check_tool(raw, self._ids)
            self._open.name = raw["name"]
        self.message.blocks.append(self._open)

    def _current(self, event: dict[str, Any]) -> ReadBlock:
        if self._open is None or event.get("index") != len(self.message.blocks) - 1:
            raise Violation(f"{event['type']} for block {event.get('index')}, which is not open")
        return self._open

    def _grow(self, event: dict[str, Any]) -> None:
        block = self._current(event)
        delta = event.get("delta")
        if not isinstance(delta, dict) or delta.get("type") not in _GROWS:
            raise Violation(f"an unknown delta {delta!r:.80}")
        kind, key = _GROWS[delta["type"]]
        if block.kind != kind:
            raise Violation(f"{delta['type']} in a {block.kind} block")
        if key:
            block.text += _text(delta, key)

    def _message_delta(self, event: dict[str, Any]) -> None:
        delta, usage = event.get("delta"), _usage(event)
        if not isinstance(delta, dict) or not isinstance(usage.get("output_tokens"), int):
            raise Violation("message_delta without delta or output tokens")
        if self._open is not None:
            raise Violation("message_delta while a block is open")
        if self.message.stop_reason is not None:
            raise Violation("two message_delta with a stop reason")
        self.message.stop_reason = delta.get("stop_reason")
        self.message.usage.update({key: count for key, count in usage.items() if count is not None})

    def _stop(self) -> None:
        if self._open is not None or self.message.stop_reason is None:
            raise Violation("message_stop before the message was complete")
        self._terminal = "message_stop"


def _json(data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except ValueError:
        raise Violation(f"not JSON: {data[:80]!r}") from None
    if not isinstance(document, dict):
        raise Violation(f"no JSON object: {data[:80]!r}")
    return document


def _text(raw: dict[str, Any], key: str) -> str:
    value = raw.get(key)
    if not isinstance(value, str):
        raise Violation(f"{key} is no text")
    return value


def _usage(raw: dict[str, Any]) -> dict[str, Any]:
    usage = raw.get("usage")
    return usage if isinstance(usage, dict) else {}


def _check_tool(raw: dict[str, Any], ids: set[str]) -> None:
    tool_id, name = raw.get("id"), raw.get("name")
    if not isinstance(tool_id, str) or not _TOOL_ID.fullmatch(tool_id):
        raise Violation(f"a tool call with the id {tool_id!r}")
    if tool_id in ids:
        raise Violation(f"two tool calls with the id {tool_id!r}")
    ids.add(tool_id)
    if not isinstance(name, str) or not name:
        raise Violation("a tool call without a name")
    if not isinstance(raw.get("input"), dict):
        raise Violation("a tool call whose input is no object")
