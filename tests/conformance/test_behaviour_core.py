"""Every behaviour through the core in process: judged, and the same bytes out however the reads are cut."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.conformance import behaviour
from claude_code_proxy.conformance.behaviour import Outcome
from claude_code_proxy.conformance.judge import Answer, judge
from claude_code_proxy.core import wire
from claude_code_proxy.core.answer_context import ReplyContext
from claude_code_proxy.core.convert_answer import StreamConverter, StreamFold, message_from_answer
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.errors.upstream import transport_error
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Report

if TYPE_CHECKING:
    from claude_code_proxy.conformance.behaviour import Case
    from claude_code_proxy.conformance.script import End, Reply

LONG = 100_000  # bytes above which byte by byte takes too long
SHORT = 500  # bytes up to which every place to cut is tried
TOOLS = ("get_weather", "get_time", "search")


def reaches_the_core(reply: Reply) -> bool:
    """Status lines and content encodings are the server's business."""
    encoded = any(name == "content-encoding" for name, _ in reply.headers) and not reply.gzip
    return reply.status == 200 and not reply.headless and not encoded


CASES = [case for case in behaviour.cases(behaviour.load()) if reaches_the_core(case.reply)]
STREAMED = [case for case in CASES if case.mode == "stream"]
WHOLE = [case for case in CASES if case.mode == "whole" and case.reply.end == "end"]


def name_of(case: Case) -> str:
    return case.behaviour.id


def reply_context(case: Case) -> ReplyContext:
    stops = tuple(case.behaviour.request.get("stop_sequences", ()))
    return ReplyContext(
        model="conformance",
        message_id="msg_conformance",
        tool_names={name: name for name in TOOLS},
        stop_sequences=stops,
        max_tokens=4096,
    )


def http_error(error: ApiError) -> Answer:
    body = wire.dumps(error.envelope("req_conformance"))
    return Answer(status=error.status, content_type="application/json", body=body)


def convert(case: Case, reads: list[bytes]) -> Answer:
    """What the server does with the reads and the end, without the server."""
    converter = StreamConverter(Profile(), reply_context(case), Report(), "req_conformance")
    out = b"".join(converter.feed(read) for read in reads if not converter.finished)
    if not converter.finished:
        out += end_of(converter, case.reply.end)
    if converter.error is not None:
        assert out == b""
        return http_error(converter.error)
    return Answer(status=200, content_type="text/event-stream", body=out)


def end_of(converter: StreamConverter, end: End) -> bytes:
    if end == "end" or (end == "stall" and converter.ending):
        return converter.close()
    kind = "timeout_idle" if end == "stall" else "cut"
    return converter.fail(transport_error(kind, "", api_base=""))  # type: ignore[arg-type]


def cut(data: bytes, seed: int) -> list[bytes]:
    pick = random.Random(seed)
    at = sorted(pick.choices(range(len(data) + 1), k=pick.randrange(1, 40)))
    return [data[start:end] for start, end in zip([0, *at], [*at, len(data)], strict=True)]


@pytest.mark.parametrize("case", STREAMED, ids=name_of)
def test_stream(case: Case) -> None:
    answer = convert(case, case.reply.writes)
    judgement = judge(answer, "stream", case.expected)
    assert judgement.verdict == "ok", judgement.because

    data = b"".join(case.reply.writes)
    assert convert(case, [data]) == answer
    for seed in range(4):
        assert convert(case, cut(data, seed)) == answer
    if len(data) <= LONG:
        assert convert(case, [data[at : at + 1] for at in range(len(data))]) == answer


@pytest.mark.parametrize("case", WHOLE, ids=name_of)
def test_whole(case: Case) -> None:
    data = b"".join(case.reply.writes)
    try:
        message = whole(case, data)
    except ApiError as error:
        answer = http_error(error)
    else:
        answer = Answer(status=200, content_type="application/json", body=wire.dumps(message))
    judgement = judge(answer, "whole", case.expected)
    assert judgement.verdict == "ok", judgement.because


def whole(case: Case, data: bytes) -> dict[str, object]:
    try:
        body = wire.loads(data)
    except wire.WireError:
        folded = StreamFold(Profile(), reply_context(case), Report())
        folded.feed(data)
        return folded.close()[0]
    return message_from_answer(body, Profile(), reply_context(case), Report())[0]


SAY_MORE_AFTER_THE_FINISH = {"finish.text_after", "finish.call_after"}
"""A finish reason is the end, unless more follows: cut between the two, nobody can know."""
CUTTABLE = [
    case
    for case in STREAMED
    if case.reply.end == "end"
    and sum(map(len, case.reply.writes)) < 10_000
    and case.behaviour.id not in SAY_MORE_AFTER_THE_FINISH
]


@pytest.mark.parametrize("case", CUTTABLE, ids=name_of)
@pytest.mark.parametrize("clean", [True, False], ids=["ended", "broken"])
def test_cut_at_any_byte(case: Case, clean: bool) -> None:
    """Whether the connection breaks at a byte or ends there as if all were well: all of it, or an error."""
    honest = (*(replace(outcome, usage=None) for outcome in case.expected), Outcome(error=""))
    data = b"".join(case.reply.writes)
    places = range(len(data))
    for at in places if len(data) <= SHORT else random.Random(1).sample(places, 60):
        converter = StreamConverter(Profile(), reply_context(case), Report(), "req_conformance")
        out = converter.feed(data[:at])
        if not converter.finished:
            out += converter.close() if clean else end_of(converter, "cut")
        if converter.error is None:
            answer = Answer(status=200, content_type="text/event-stream", body=out)
            judgement = judge(answer, "stream", honest)
            assert judgement.verdict == "ok", f"{judgement.because} after {data[:at]!r}"
