"""Upstreams that do not end: each more costs no more than the one before, and at a limit the answer ends."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.core.answer_context import AnswerLimits, ReplyContext
from claude_code_proxy.core.convert_answer import StreamConverter
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.repeats import RepeatingConverter
from claude_code_proxy.core.report import Report

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY = 10_000
MOST_SECONDS = 8.0  # of this process's own time; what grows with its square takes minutes


def chat(**delta: Any) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode() + b"\n\n"


def call(arguments: Any, name: str = "", index: int = 0, call_id: str = "c") -> bytes:
    function = {"arguments": arguments, **({"name": name} if name else {})}
    return chat(tool_calls=[{"index": index, "id": call_id, "function": function}])


def responses(kind: str, **event: Any) -> bytes:
    return b"data: " + json.dumps({"type": f"response.{kind}", **event}).encode() + b"\n\n"


def item(index: int, **more: Any) -> bytes:
    content = {"type": "function_call", "call_id": f"c{index}", **more}
    return responses("output_item.added", output_index=index, item=content)


def repeated(first: bytes, then: bytes) -> Iterator[bytes]:
    yield first
    for _ in range(MANY):
        yield then


BLANK = " " * 800
STREAMS: dict[str, tuple[dict[str, Any], Iterator[bytes]]] = {
    "blank arguments": ({}, repeated(call("{", "t"), call(BLANK))),
    "blank before arguments": ({}, repeated(call("", "t"), call(BLANK))),
    "arguments that are no object": ({}, repeated(call("no", "t"), call("x" * 800))),
    "arguments with the name each time": ({}, repeated(call('{"a":"', "t"), call("x" * 800 + "}", "t"))),
    "other arguments with the name each time": ({}, repeated(call('["', "t"), call("x" * 800 + "]", "t"))),
    "arguments as objects": ({}, repeated(call({"a": "x" * 800}, "t"), call({"b": "x" * 700}))),
    "a number in arguments": ({}, repeated(call('{"a":1', "t"), call("1" * 20))),
    "text behind arguments": ({}, repeated(call('{"a":"' + "y" * 1_000_000 + '"}', "t"), call("x" * 100))),
    "arguments for nobody": ({}, repeated(call("x" * 800), call("x" * 800))),
    "arguments of a call that waits": (
        {},
        repeated(call('{"a', "t") + call("{", "u", 1, "d"), call("x" * 800, index=1, call_id="d")),
    ),
    "blank text": ({}, repeated(chat(content=" "), chat(content=BLANK))),
    "blank thoughts": ({"think_tags": "auto"}, repeated(chat(content="<think>x"), chat(content=BLANK))),
    "blank before thoughts": ({"think_tags": "auto"}, repeated(chat(content=" "), chat(content=BLANK))),
    "markers in one chunk": (
        {"text_tool_calls": ("hermes",)},
        iter([chat(content="<tool_call>x" * 60_000), chat(content="<" * 1_000_000)]),
    ),
    "lines": ({}, repeated(b"data: {", b"data: " + BLANK.encode() + b"\n")),
    "a line": ({}, repeated(b"data: {", BLANK.encode())),
    "blank lines": ({}, repeated(b"\n", b"\r\n" * 400)),
    "whole arguments again and again": (
        {"api": "responses"},
        repeated(
            item(0, name="t")
            + responses("function_call_arguments.delta", output_index=0, delta='{"a":"' + "y" * 2_000_000),
            responses("function_call_arguments.done", output_index=0, arguments=""),
        ),
    ),
    "items": ({"api": "responses"}, (item(number, name="t") for number in range(MANY))),
    "calls": ({}, (call("{}", "t", number, f"c{number}") for number in range(MANY))),
    "calls without a name": ({}, (call("{}", "", number, f"c{number}") for number in range(MANY))),
}


@pytest.mark.parametrize("name", STREAMS)
def test_the_time_does_not_grow(name: str) -> None:
    profile, pieces = STREAMS[name]
    reply = ReplyContext(model="m", message_id="msg_1", tool_names={"t": "t", "u": "u"})
    report = Report()
    stream = RepeatingConverter(StreamConverter(Profile(**profile), reply, report, "req_1"))
    began = time.process_time()
    try:
        for piece in pieces:
            stream.feed(piece)
            if stream.finished:
                break
        stream.close()
    except ApiError:
        pass  # a limit, which ends it too
    assert time.process_time() - began < MOST_SECONDS
    assert len(report.notices) <= 10_000


@pytest.mark.parametrize(
    ("profile", "pieces", "says"),
    [
        ({}, [call("{}", "t", number, f"c{number}") for number in range(4)], "3 tool calls"),
        ({}, [call("{}", "", number, f"c{number}") for number in range(4)], "3 tool calls"),
        ({"api": "responses"}, [item(number, name="t") for number in range(4)], "3 tool calls"),
        ({}, [call('{"a":"', "t"), *[call("x" * 40)] * 5], "100 characters"),
        ({}, [call("{", "", 0), *[call("x" * 40)] * 5], "100 characters"),
        ({}, [chat(tool_calls=[{"id": "c", "custom": {"name": "t", "input": "x" * 40}}])] * 5, "100 char"),
        (
            {"api": "responses"},
            [
                item(0, name="t"),
                *[responses("function_call_arguments.delta", output_index=0, delta="x" * 40)] * 5,
            ],
            "100 characters",
        ),
        ({}, [b"data: " + b"x" * 600], ""),
        ({}, [b"data:\n"] * 20, ""),
    ],
)
def test_a_limit_ends_the_answer(profile: dict[str, Any], pieces: list[bytes], says: str) -> None:
    limits = AnswerLimits(event_bytes=500, tool_arguments=100, tool_calls=3)
    reply = ReplyContext(model="m", message_id="msg_1", tool_names={"t": "t"}, limits=limits)
    stream = RepeatingConverter(StreamConverter(Profile(**profile), reply, Report(), "req_1"))
    try:
        for piece in pieces:
            stream.feed(piece)
    except ApiError as error:
        found: ApiError | None = error
    else:
        found = stream.error
    assert found is not None
    assert (found.status, found.type) == (502, "api_error")
    assert says in found.message
