"""Scripted upstream answers: from the short notation of the data files to bytes, pauses and an end.

A reply is a list of items, or an object with `send` (the list) and options. An item is one write:

    {"say": "Hi"}                  a chunk with that content; further keys join the same chunk:
    {"think": "..."}               `reasoning_content`
    {"call": {...}}, {"calls": []} `tool_calls`, short: i (index), id, name, args
    {"delta": {}}, {"choice": {}}, {"top": {}}   anything else in the delta, the choice, the chunk
    {"finish": "stop"}             `finish_reason`
    {"usage": [10, 5]}             prompt and completion tokens, or the whole object; alone: `choices: []`
    {"answer": {...}}              a whole `chat.completion` from the same keys (`message` for the message's)
    {"event": ...}                 any JSON as one event          {"json": ...}   any JSON as a document
    {"raw": "..."}, {"hex": ".."}  any text, any bytes            {"pause": 0.5}  seconds
    {"times": 3, "items": [...]}   repetition
    "[DONE]"                       the end marker
    "cut", "reset", "stall"        last: close in the middle, reset the connection, fall silent

Options: `status`, `headers`, `type` (content type, null for none), `framing` (`chunked`, `length`, `close`),
`headless` (the end comes before the status line), `gzip`, `drip` (every byte a write of its own), `split` (a
text: writes are cut inside it, after each byte), `newline`, `space` (false: none after the colon), `ascii`
(false: UTF-8 instead of escapes).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

End = Literal["end", "cut", "reset", "stall"]
Framing = Literal["chunked", "length", "close"]
Step = bytes | float
"""One write, or a pause in seconds."""

STREAM_TYPE = "text/event-stream; charset=utf-8"
JSON_TYPE = "application/json"

_ENDS: dict[str, End] = {"cut": "cut", "reset": "reset", "stall": "stall"}
_OPTIONS = frozenset(
    (
        *("status", "headers", "type", "framing", "headless", "gzip", "drip", "split"),
        *("newline", "space", "ascii", "send"),
    )
)
_CHUNK = frozenset(("say", "think", "call", "calls", "delta", "finish", "usage", "choice", "top"))
_CALL = {"i": "index", "id": "id", "type": "type"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One scripted answer. `headless` replies end before their status line."""

    status: int
    headers: tuple[tuple[str, str], ...]
    framing: Framing
    headless: bool
    gzip: bool
    steps: tuple[Step, ...]
    end: End

    @property
    def writes(self) -> list[bytes]:
        """What is written, without the pauses and before any compression."""
        return [step for step in self.steps if isinstance(step, bytes)]

    @property
    def wire_steps(self) -> Iterator[Step]:
        """The steps as they go over the wire."""
        if not self.gzip:
            yield from self.steps
            return
        packer = zlib.compressobj(wbits=31)
        for step in self.steps:
            if isinstance(step, bytes):
                yield packer.compress(step) + packer.flush(zlib.Z_SYNC_FLUSH)
            else:
                yield step
        if self.end == "end":
            yield packer.flush()


def read_reply(notation: Any, content_type: str) -> Reply:
    """The reply for a notation; `content_type` is the default. Raises `ValueError` for a bad notation."""
    options: dict[str, Any] = notation if isinstance(notation, dict) else {"send": notation}
    if unknown := options.keys() - _OPTIONS:
        raise ValueError(f"unknown options of a reply: {sorted(unknown)}")
    items = list(options.get("send", ()))
    end: End = "end"
    if items and isinstance(items[-1], str) and items[-1] in _ENDS:
        end = _ENDS[items.pop()]
    writer = _Writer(options)
    steps = [step for item in items for step in writer.steps(item)]
    if split := options.get("split"):
        steps = [piece for step in steps for piece in _split(step, split.encode())]
    if options.get("drip"):
        steps = [piece for step in steps for piece in _drip(step)]
    headers = dict(options.get("headers", {}))
    if (kind := options.get("type", content_type)) is not None:
        headers["content-type"] = kind
    if options.get("gzip"):
        headers["content-encoding"] = "gzip"
    return Reply(
        status=options.get("status", 200),
        headers=tuple(headers.items()),
        framing=options.get("framing", "chunked"),
        headless=bool(options.get("headless")),
        gzip=bool(options.get("gzip")),
        steps=tuple(steps),
        end=end,
    )


class _Writer:
    """Items to writes, in the reply's own framing of events."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._newline = options.get("newline", "\n")
        self._data = "data: " if options.get("space", True) else "data:"
        self._ascii = options.get("ascii", True)

    def steps(self, item: Any) -> Iterator[Step]:
        if item == "[DONE]":
            yield self._event("[DONE]")
        elif not isinstance(item, dict):
            raise ValueError(f"not an item: {item!r}")
        elif "times" in item:
            inner = [step for each in item["items"] for step in self.steps(each)]
            for _ in range(item["times"]):
                yield from inner
        elif "pause" in item:
            yield float(item["pause"])
        elif "raw" in item:
            yield item["raw"].encode()
        elif "hex" in item:
            yield bytes.fromhex(item["hex"])
        elif "event" in item:
            yield self._event(self._json(item["event"]))
        elif "json" in item:
            yield self._json(item["json"]).encode()
        elif "answer" in item:
            yield self._json(_answer(item["answer"])).encode()
        elif item.keys() <= _CHUNK:
            yield self._event(self._json(_chunk(item)))
        else:
            raise ValueError(f"not an item: {item!r}")

    def _event(self, data: str) -> bytes:
        return f"{self._data}{data}{self._newline}{self._newline}".encode()

    def _json(self, value: Any) -> str:
        return json.dumps(value, ensure_ascii=self._ascii)


def _chunk(item: dict[str, Any]) -> dict[str, Any]:
    choice = {"index": 0, "delta": _said(item, "delta"), "finish_reason": item.get("finish")}
    choices = [{**choice, **item.get("choice", {})}] if item.keys() - {"usage", "top"} else []
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "scripted",
        "choices": choices,
        **_usage(item),
        **item.get("top", {}),
    }


def _answer(item: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": None, **_said(item, "message")}
    choice = {"index": 0, "message": message, "finish_reason": item.get("finish", "stop")}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "scripted",
        "choices": [{**choice, **item.get("choice", {})}],
        **_usage(item),
        **item.get("top", {}),
    }


def _said(item: dict[str, Any], rest: str) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if "think" in item:
        said["reasoning_content"] = item["think"]
    if "say" in item:
        said["content"] = item["say"]
    calls = [item["call"]] if "call" in item else item.get("calls", ())
    if calls:
        said["tool_calls"] = [_call(call) for call in calls]
    return {**said, **item.get(rest, {})}


def _call(short: dict[str, Any]) -> dict[str, Any]:
    call: dict[str, Any] = {_CALL[key]: value for key, value in short.items() if key in _CALL}
    call.setdefault("type", "function")
    function = {"name": short.get("name"), "arguments": short.get("args")}
    call["function"] = {
        key: value for key, value in function.items() if ("args" if key == "arguments" else key) in short
    }
    return call


def _usage(item: dict[str, Any]) -> dict[str, Any]:
    usage = item.get("usage")
    if isinstance(usage, list):
        prompt, completion = usage
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }
    return {"usage": usage} if "usage" in item else {}


def _split(step: Step, inside: bytes) -> Iterator[Step]:
    if isinstance(step, float):
        yield step
        return
    start = 0
    while (at := step.find(inside, start)) >= 0:
        yield step[start : at + 1]
        yield from (step[cut : cut + 1] for cut in range(at + 1, at + len(inside)))
        start = at + len(inside)
    if step[start:]:
        yield step[start:]


def _drip(step: Step) -> Iterator[Step]:
    if isinstance(step, float):
        yield step
        return
    for at in range(len(step)):
        yield step[at : at + 1]
