"""The answer side as the server uses it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claude_code_proxy.core.answer_context import AnswerLimits, ReplyContext
from claude_code_proxy.core.convert_answer import SendAgain, StreamConverter, StreamFold, message_from_answer
from claude_code_proxy.core.deltas import Usage
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.repeats import RepeatingConverter
from claude_code_proxy.core.report import Report
from tests.core import cases


def converter(report: Report | None = None, stops: tuple[str, ...] = (), **profile: Any) -> StreamConverter:
    reply = ReplyContext(model="m", message_id="msg_1", local_stop_sequences=stops)
    return StreamConverter(Profile(**profile), reply, report or Report(), "req_1")


def data(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def delta(finish: str | None = None, **fields: Any) -> bytes:
    return data({"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]})


def tool(**function: Any) -> bytes:
    return delta(tool_calls=[{"index": 0, "id": "x", "function": function}])


DONE = b"data: [DONE]\n\n"
USAGE = data({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}})
ANSWER = {
    "object": "chat.completion",
    "choices": [{"index": 0, "message": {"content": "t"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2},
}

# what the upstream sent, whether more than an error came out, how it ended
ENDS: list[tuple[str, bytes, str]] = [
    ("well", delta(content="t") + delta("stop") + USAGE + DONE, "end_turn"),
    ("no [DONE]", delta(content="t") + delta("stop") + USAGE, "end_turn"),
    ("no finish but [DONE]", delta(content="t") + DONE, "end_turn"),
    ("a tool, no finish but [DONE]", tool(name="Read", arguments="{}") + DONE, "tool_use"),
    ("a tool without arguments, no finish but [DONE]", tool(name="Read") + DONE, "tool_use"),
    ("usage only", USAGE + DONE, "end_turn"),
    ("finish only", delta("stop") + DONE, "end_turn"),
    ("content after the finish", delta("stop") + delta(content="t") + DONE, "end_turn"),
    ("JSON", json.dumps(ANSWER).encode(), "end_turn"),
    ("JSON over several lines", json.dumps(ANSWER, indent=1).encode(), "end_turn"),
    ("JSON lines", delta(content="t")[6:-1] + delta("stop")[6:], "end_turn"),
    ("one chunk that is no JSON", delta(content="t") + b"data: oops\n\n" * 2 + delta("stop") + DONE, "end_turn"),
    ("after the end", delta("stop") + DONE + delta(content="more"), "end_turn"),
    ("half a last chunk after the finish", delta(content="t") + delta("stop") + b'data: {"usa', "end_turn"),
    ("a damaged chunk", delta(content="t") + b'data: {"choices":[{"del\n\n' + delta("stop") + DONE, "error"),
    ("cut in text", delta(content="t"), "error"),
    ("cut in a tool", tool(name="Read", arguments='{"a"'), "error"),
    ("a tool that never ended, [DONE]", tool(name="Read", arguments='{"a"') + DONE, "error"),
    ("error after text", delta(content="t") + data({"error": {"message": "x"}}), "error"),
    ("error event after text", delta(content="t") + b"event: error\ndata: {}\n\n", "error"),
    ("nothing", b"", "502"),
    ("nothing but [DONE]", DONE, "502"),
    ("role only", delta(role="assistant"), "502"),
    ("HTML", b"<html><title>Sign in</title></html>", "502"),
    ("text", b"upstream broken", "502"),
    ("data that is no JSON", b"data: oops\n\n", "502"),
    ("a first error", data({"error": {"message": "x", "code": 429}}), "429"),
    ("an error event", b'event: error\ndata: {"message":"x"}\n\n', "500"),
    ("an error event with a code", b'event: error\ndata: {"error":{"message":"x","code":429}}\n\n', "429"),
    ("an error event that is text", b"event: error\ndata: boom\n\n", "500"),
    ("an error event whose text says more", b"event: error\ndata: rate limit exceeded\n\n", "429"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "raw", "end"), ENDS, ids=[case[0] for case in ENDS])
def test_how_it_ends(what: str, raw: bytes, end: str) -> None:
    stream = converter()
    out = stream.feed(raw)
    if not stream.finished:
        out += stream.close()
    assert stream.finished
    if end.isdigit():
        assert out == b""
        assert stream.error is not None
        assert stream.error.status == int(end)
        return
    events = cases.parse_events(out)
    assert stream.error is None
    assert stream.started
    if end == "error":
        assert events[-1]["type"] == "error"
        assert not [event for event in events if event["type"] in ("message_delta", "message_stop")]
    else:
        assert events[-1]["type"] == "message_stop"
        assert events[-2]["delta"]["stop_reason"] == end


def test_lenient_servers_end_without_a_word() -> None:
    """Some servers send neither a finish reason nor [DONE]; only complete content counts then."""
    for raw, kind in (
        (delta(content="t"), "message_stop"),
        (tool(name="Read", arguments="{}"), "message_stop"),
        (tool(name="Read"), "error"),
        (tool(name="Read", arguments='{"a"'), "error"),
    ):
        stream = converter(lenient_eof=True)
        out = stream.feed(raw)
        out += stream.feed(delta(content=" ")) + stream.close()
        assert cases.parse_events(out)[-1]["type"] == kind


HALF = b'data: {"choices":[{"del'


@pytest.mark.parametrize("fields", [{}, {"lenient_eof": True}], ids=["strict", "lenient"])
@pytest.mark.parametrize(
    ("raw", "words"),
    [(HALF, "closed the connection"), (HALF + b"\n\n", "damaged chunk")],
    ids=["cut", "damaged"],
)
def test_half_a_chunk_is_no_end(fields: dict[str, Any], raw: bytes, words: str) -> None:
    for before in (b"", delta(content="t")):
        stream = converter(**fields)
        stream.feed(before + raw)
        if not stream.finished:
            stream.close()
        failure = stream.reader.failure
        assert failure is not None
        assert words in failure.message
        assert failure.retryable


@pytest.mark.parametrize("raw", [b'{"choices": half', b'{"choices":\n half', b'{"choices": half\n'])
def test_a_document_that_is_no_json_is_shown(raw: bytes) -> None:
    for pieces in ([raw], [raw[at : at + 1] for at in range(len(raw))]):
        stream = converter()
        for piece in pieces:
            stream.feed(piece)
        stream.close()
        failure = stream.reader.failure
        assert failure is not None
        assert failure.message.startswith('the upstream\'s response is not a chat completion: {"choices":')


def test_what_is_ignored_is_reported() -> None:
    report = Report()
    converter(report).feed(b"data: oops\n\ndata: oops\n\n")
    assert report.codes == ["chunk_not_json"]


def test_the_server_can_see_how_far_it_is() -> None:
    stream = converter()
    assert (stream.started, stream.ending, stream.finished, stream.usage) == (False, False, False, None)
    stream.feed(delta(content="t"))
    assert (stream.started, stream.ending) == (True, False)
    stream.feed(delta("stop"))
    assert (stream.ending, stream.finished) == (True, False)
    stream.feed(USAGE)
    assert stream.usage == Usage(1, 2)
    stream.feed(DONE)
    assert stream.finished


def test_an_early_begin_and_keep_alives() -> None:
    stream = converter()
    assert [event["type"] for event in cases.parse_events(stream.begin())] == ["message_start", "ping"]
    assert stream.started
    assert stream.begin() == b""
    assert b"message_delta" in stream.progress()
    out = stream.fail(ApiError(504, "timeout_error", "too slow"))
    assert cases.parse_events(out)[0]["error"]["type"] == "timeout_error"
    assert stream.finished
    assert stream.error is None


def test_a_failure_before_anything_was_written_is_kept() -> None:
    stream = converter()
    assert stream.fail(ApiError(504, "timeout_error", "too slow")) == b""
    assert stream.error is not None
    assert stream.error.status == 504


def test_a_stop_sequence_ends_the_stream() -> None:
    stream = converter(stops=("END",))
    events = cases.parse_events(stream.feed(delta(content="a END b")))
    assert events[-2]["delta"] == {"stop_reason": "stop_sequence", "stop_sequence": "END"}
    assert stream.finished


def test_an_endless_event_is_an_error() -> None:
    limits = AnswerLimits(event_bytes=100)
    reply = ReplyContext(model="m", message_id="msg_1", limits=limits)
    stream = StreamConverter(Profile(), reply, Report(), "req_1")
    stream.feed(b"data: " + b"x" * 200)
    assert stream.error is not None
    assert stream.error.status == 502


def test_a_whole_answer_as_a_stream() -> None:
    events = cases.parse_events(converter().answer(ANSWER))
    assert [event["type"] for event in events][-2:] == ["message_delta", "message_stop"]
    stream = converter()
    assert stream.answer({}) == b""
    assert stream.error is not None


def test_a_whole_answer_as_a_message() -> None:
    reply = ReplyContext(model="m", message_id="msg_1")
    message, usage = message_from_answer(ANSWER, Profile(), reply, Report())
    assert message["content"] == [{"type": "text", "text": "t"}]
    assert usage == Usage(1, 2)


def test_a_stream_as_a_message() -> None:
    reply = ReplyContext(model="m", message_id="msg_1")
    fold = StreamFold(Profile(), reply, Report())
    fold.feed(delta(content="t") + delta("stop") + USAGE + DONE)
    assert fold.finished
    message, usage = fold.close()
    assert (message["content"][0]["text"], usage) == ("t", Usage(1, 2))
    fold = StreamFold(Profile(), reply, Report())
    fold.feed(delta(content="t"))
    with pytest.raises(ApiError, match="closed"):
        fold.close()


THOUGHT = delta(reasoning_content="hm")


def asking(*, shown: bool, limit: int = 64, stops: tuple[str, ...] = ()) -> StreamConverter:
    """A converter whose caller would send the request again."""
    reply = ReplyContext(
        model="m",
        message_id="msg_1",
        max_tokens=limit,
        show_thinking=shown,
        local_stop_sequences=stops,
        may_repeat=True,
    )
    return StreamConverter(Profile(), reply, Report(), "req_1")


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("shown", [True, False])
def test_reasoning_alone_is_asked_for_again(shown: bool, fast: bool) -> None:
    plain = asking(shown=shown)
    stream = RepeatingConverter(plain) if fast else plain
    out = stream.feed(THOUGHT + delta("stop") + USAGE + DONE)
    assert stream.again is not None
    assert not stream.again.more_room
    assert (stream.committed, stream.finished) == (False, True)
    stream.restart()
    assert (stream.committed, stream.finished) == (True, False)
    out += stream.feed(THOUGHT + delta(content="a") + delta("stop") + USAGE + DONE)
    events = cases.parse_events(out)
    kinds = [event["content_block"]["type"] for event in events if event["type"] == "content_block_start"]
    assert kinds == [*(["thinking"] * 2 if shown else []), "text"]
    assert events[-2]["usage"]["output_tokens"] == 4  # of both
    assert events[-1]["type"] == "message_stop"


@pytest.mark.parametrize(
    ("shown", "limit", "again"),
    [(False, 64, True), (True, 64, False), (False, 1, False), (False, 9000, False)],
)
def test_reasoning_that_fills_a_small_limit(shown: bool, limit: int, again: bool) -> None:
    stream = asking(shown=shown, limit=limit)
    out = stream.feed(THOUGHT + delta("length") + USAGE + DONE)
    assert (stream.again is not None and stream.again.more_room) == again
    if not again:
        assert cases.parse_events(out)[-2]["delta"]["stop_reason"] == "max_tokens"


def test_a_failure_that_often_passes_is_asked_for_again() -> None:
    stream = asking(shown=True)
    stream.feed(THOUGHT + delta("MALFORMED_FUNCTION_CALL"))
    assert stream.again is not None
    stream.restart()
    out = stream.feed(delta("MALFORMED_FUNCTION_CALL"))
    assert cases.parse_events(out)[-1]["error"]["type"] == "api_error"


def test_a_response_that_came_to_nothing_costs_what_it_said() -> None:
    stream = asking(shown=True)
    stream.feed(THOUGHT + delta("MALFORMED_FUNCTION_CALL"))  # it names no cost
    stream.restart()
    out = stream.feed(delta(content="a") + delta("stop") + USAGE + DONE)
    assert cases.parse_events(out)[-2]["usage"]["output_tokens"] == 2


@pytest.mark.parametrize("first", [delta(content="a"), delta(refusal="no")])
def test_what_the_client_has_seen_is_not_asked_for_again(first: bytes) -> None:
    stream = asking(shown=True)
    stream.feed(first + delta("MALFORMED_FUNCTION_CALL"))
    assert stream.again is None
    assert stream.finished


def test_text_held_back_for_a_stop_sequence_is_an_answer() -> None:
    stream = asking(shown=True, stops=("END",))
    out = stream.feed(THOUGHT + delta(content="EN") + delta("stop") + DONE)
    assert cases.parse_events(out)[-1]["type"] == "message_stop"
    assert b'"text":"EN"' in out


@pytest.mark.parametrize(
    ("finish", "status", "words"),
    [("because", 502, "because"), ("context_length_exceeded", 400, "prompt is too long")],
)
def test_an_empty_answer_that_did_not_end_well(finish: str, status: int, words: str) -> None:
    stream = converter()
    assert stream.feed(delta(finish) + DONE) == b""
    assert stream.error is not None
    assert stream.error.status == status
    assert words in stream.error.message


def test_a_whole_answer_that_came_to_nothing() -> None:
    reply = ReplyContext(model="m", message_id="msg_1", may_repeat=True)
    body = {"choices": [{"message": {"reasoning_content": "hm"}, "finish_reason": "stop"}]}
    with pytest.raises(SendAgain):
        message_from_answer(body, Profile(), reply, Report())


def test_content_that_cannot_be_shown_is_an_answer() -> None:
    reply = ReplyContext(model="m", message_id="msg_1", may_repeat=True)
    message = {"reasoning_content": "hm", "content": [{"type": "hologram"}]}
    body = {"choices": [{"message": message, "finish_reason": "stop"}]}
    assert [
        block["type"] for block in message_from_answer(body, Profile(), reply, Report())[0]["content"]
    ] == ["thinking"]
