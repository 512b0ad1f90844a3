"""The verdict on one answer.

- ok: the right content, or an honest error
- LIES: a success that is not what the upstream said; text, tool calls or the stop reason are wrong
- HANGS: no end within the limit
- BREAKS: an answer no client can use, an error where the content was there, or the wrong kind of error
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from .behaviour import Block, Mode, Outcome
from .reader import Message, Violation, read_error, read_message, read_stream

Verdict = Literal["ok", "LIES", "HANGS", "BREAKS"]
VERDICTS: tuple[Verdict, ...] = ("ok", "LIES", "HANGS", "BREAKS")

_SHOWN = 160


class Judgement(NamedTuple):
    """A verdict and, where it is not ok, the reason in one sentence."""

    verdict: Verdict
    because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. `ended`: the HTTP body was complete, the connection broke, or time was up."""

    status: int
    content_type: str
    body: bytes
    ended: Literal["complete", "dropped", "timeout"] = "complete"


def judge(answer: Answer, mode: Mode, expected: Iterable[Outcome]) -> Judgement:
    """The verdict on `answer` to a request of this `mode`."""
    outcomes = tuple(expected)
    if answer.ended == "timeout":
        return Judgement("HANGS", f"no end in time; so far {len(answer.body)} bytes")
    try:
        if answer.status >= 400:
            return _http_error(answer, outcomes)
        message = _read(answer, mode)
    except Violation as violation:
        return Judgement("BREAKS", str(violation))
    if message.error is not None:
        return _judge_error(message, outcomes)
    return _judge_message(message, outcomes)


def _read(answer: Answer, mode: Mode) -> Message:
    if answer.status != 200:
        raise Violation(f"status {answer.status}")
    if mode == "whole":
        if answer.ended == "dropped":
            raise Violation("the connection broke inside the answer")
        return read_message(answer.body)
    if not answer.content_type.startswith("text/event-stream"):
        raise Violation(f"a stream was asked for, and {answer.content_type or 'no content type'} came")
    message = read_stream(answer.body)
    if answer.ended == "dropped" and message.error is None:
        raise Violation("the connection broke after the last event")
    return message


def _http_error(answer: Answer, outcomes: tuple[Outcome, ...]) -> Judgement:
    error = read_error(answer.body)
    wanted = [outcome.error for outcome in outcomes if outcome.error is not None]
    if not wanted:
        return Judgement("BREAKS", _short(f"HTTP {answer.status} where the content was there: {error}"))
    if not any(_in_class(answer.status, kind) for kind in wanted):
        return Judgement("BREAKS", f"HTTP {answer.status} where {' or '.join(wanted)} was due")
    return Judgement("ok")


def _in_class(status: int, kind: str) -> bool:
    return not kind or str(status) == kind or (kind.endswith("xx") and str(status)[0] == kind[0])


def _judge_error(message: Message, outcomes: tuple[Outcome, ...]) -> Judgement:
    if all(outcome.error is None for outcome in outcomes):
        return Judgement("BREAKS", _short(f"an error where the content was there: {message.error}"))
    for block in message.blocks:
        if block.kind == "tool_use" and block.closed and not isinstance(_input(block.text), dict):
            return Judgement("LIES", f"closed the tool call {block.name} with {block.text!r}, then failed")
    return Judgement("ok")


def _judge_message(message: Message, outcomes: tuple[Outcome, ...]) -> Judgement:
    found = _content(message)
    due = [outcome for outcome in outcomes if outcome.error is None]
    if not due:
        return Judgement("LIES", _short(f"{message.stop_reason} with {found} where an error was due"))
    reasons = [_difference(message, found, outcome) for outcome in due]
    if "" in reasons:
        return Judgement("ok")
    return Judgement("LIES", _short(reasons[0]))


def _difference(message: Message, found: list[Block], outcome: Outcome) -> str:
    """What sets the message apart from `outcome`; "" for nothing."""
    wanted = _merged(outcome.content)
    if len(found) != len(wanted) or not all(map(_same, found, wanted)):
        return f"got {found} instead of {wanted}"
    if message.stop_reason not in outcome.stops:
        return f"stop_reason {message.stop_reason} instead of {' or '.join(outcome.stops)}"
    if outcome.usage is not None and _counts(message.usage) != outcome.usage:
        return f"usage {_counts(message.usage)} instead of {outcome.usage}"
    return ""


def _content(message: Message) -> list[Block]:
    """The blocks that say something, in the notation of the expectations."""
    blocks: list[Block] = []
    for block in message.blocks:
        if block.kind == "tool_use":
            blocks.append(("tool", block.name, _input(block.text)))
        elif block.kind in ("text", "thinking"):
            blocks.append((block.kind, _paired(block.text)))
    return _merged(blocks)


def _paired(text: str) -> str:
    """Surrogate halves from two events joined, as they are where texts are UTF-16."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _merged(blocks: Iterable[Block]) -> list[Block]:
    """Adjacent texts joined, white space at their ends ignored: it is no lie to cut a text in two."""
    merged: list[Block] = []
    for block in blocks:
        if block[0] != "tool" and merged and merged[-1][0] == block[0]:
            merged[-1] = (block[0], merged[-1][1] + block[1])
        elif block[0] == "tool" or block[1].strip():
            merged.append(block)
    return [block if block[0] == "tool" else (block[0], block[1].strip()) for block in merged]


_ANYTHING = "*"
"""In an expectation: a text in whatever words."""


def _same(found: Block, wanted: Block) -> bool:
    if found[:-1] != wanted[:-1]:
        return False
    value, due = found[-1], wanted[-1]
    if isinstance(due, str) and isinstance(value, dict):  # what was no JSON, kept as text under some key
        return due in value.values()
    return bool(value == due) or (due == _ANYTHING and bool(value))


def _input(text: str) -> Any:
    """What a client makes of the input's JSON; the text itself where it is no JSON object."""
    if not text:
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, dict) else text


def _counts(usage: dict[str, Any]) -> tuple[int, int]:
    parts = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    return sum(usage.get(part) or 0 for part in parts), usage.get("output_tokens") or 0


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
