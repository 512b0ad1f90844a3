"""The judge: an honest answer to every behaviour passes, and no lie does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.conformance import behaviour
from claude_code_proxy.conformance.behaviour import Outcome
from claude_code_proxy.conformance.judge import Answer, judge

if TYPE_CHECKING:
    from claude_code_proxy.conformance.behaviour import Block, Case

CASES = behaviour.cases(behaviour.load())
ERROR = {"type": "error", "error": {"type": "api_error", "message": "It broke."}}
START = {
    "type": "message_start",
    "message": {"role": "assistant", "content": [], "usage": {"input_tokens": 1}},
}
STOP = {"type": "message_stop"}
KINDS = {"text": ("text_delta", "text"), "thinking": ("thinking_delta", "thinking")}


def encode(events: list[dict[str, Any]]) -> bytes:
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def stream(events: list[dict[str, Any]]) -> Answer:
    return Answer(status=200, content_type="text/event-stream; charset=utf-8", body=encode(events))


def start(index: int, block: dict[str, Any]) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, kind: str, field: str, value: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, field: value}}


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def message_delta(reason: str | None, usage: tuple[int, int] = (1, 1)) -> dict[str, Any]:
    counts = {"input_tokens": usage[0], "output_tokens": usage[1]}
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": counts}


def tool(index: int, name: str = "get_weather") -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": {}}


def block_events(index: int, block: Block) -> list[dict[str, Any]]:
    if block[0] == "tool":
        text = block[2] if isinstance(block[2], str) else json.dumps(block[2])
        body = delta(index, "input_json_delta", "partial_json", text)
        return [start(index, tool(index, block[1])), body, stop(index)]
    kind, field = KINDS[block[0]]
    return [start(index, {"type": block[0], field: ""}), delta(index, kind, field, block[1]), stop(index)]


def streamed(outcome: Outcome) -> Answer:
    """A perfect stream for an outcome."""
    if outcome.error is not None:
        return stream([START, ERROR])
    blocks = [event for at, block in enumerate(outcome.content) for event in block_events(at, block)]
    return stream([START, *blocks, message_delta(outcome.stops[0], outcome.usage or (1, 1)), STOP])


def whole(outcome: Outcome) -> Answer:
    """A perfect whole message for an outcome."""
    if outcome.error is not None:
        status = int(outcome.error.replace("xx", "00") or 502)
        body = json.dumps(ERROR).encode()
        return Answer(status=status, content_type="application/json", body=body)
    content: list[dict[str, Any]] = []
    for at, block in enumerate(outcome.content):
        if block[0] == "tool":
            value = block[2] if isinstance(block[2], dict) else {"_raw": block[2]}
            content.append({**tool(at, block[1]), "input": value})
        else:
            content.append({"type": block[0], block[0]: block[1]})
    used = outcome.usage or (1, 1)
    message = {
        "type": "message",
        "role": "assistant",
        "content": content,
        "stop_reason": outcome.stops[0],
        "usage": {"input_tokens": used[0], "output_tokens": used[1]},
    }
    return Answer(status=200, content_type="application/json", body=json.dumps(message).encode())


def render(case: Case, outcome: Outcome) -> Answer:
    return streamed(outcome) if case.mode == "stream" else whole(outcome)


def allowed(case: Case, outcome: Outcome) -> bool:
    return any(
        same(outcome.content, due.content)
        and outcome.stops[0] in due.stops
        and due.usage in (None, outcome.usage)
        for due in case.expected
        if due.error is None
    )


def same(found: tuple[Any, ...], due: tuple[Any, ...]) -> bool:
    """Whether each block is the expected one; the text `*` is any."""
    return len(found) == len(due) and all(
        one == other or (one[0] == other[0] and other[-1] == "*" and bool(one[-1]))
        for one, other in zip(found, due, strict=True)
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_honest_answers_pass(case: Case) -> None:
    for outcome in case.expected:
        assert judge(render(case, outcome), case.mode, case.expected) == ("ok", "")


LIES = {
    "an empty turn": Outcome(content=(), stops=("end_turn",)),
    "an invented text": Outcome(content=(("text", "Of course!"),), stops=("end_turn",)),
    "an invented call": Outcome(content=(("tool", "get_weather", {"city": "?"}),), stops=("tool_use",)),
    "an emptied call": Outcome(content=(("tool", "get_weather", {}),), stops=("tool_use",)),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_lies_are_caught(case: Case) -> None:
    for name, lie in LIES.items():
        if not allowed(case, lie):
            assert judge(render(case, lie), case.mode, case.expected).verdict == "LIES", name
    for outcome in case.expected:
        for lie in spoiled(outcome):
            if not allowed(case, lie):
                assert judge(render(case, lie), case.mode, case.expected).verdict == "LIES", lie
    if all(outcome.error is None for outcome in case.expected):
        refused = render(case, Outcome(error="5xx"))
        assert judge(refused, case.mode, case.expected).verdict == "BREAKS"


def spoiled(outcome: Outcome) -> list[Outcome]:
    """The outcome with one thing wrong."""
    if outcome.error is not None:
        return []
    found = [Outcome(content=outcome.content, stops=("pause_turn",), usage=outcome.usage)]
    for at, block in enumerate(outcome.content):
        others = outcome.content[:at], outcome.content[at + 1 :]
        cut: Block = (*block[:-1], {"cut": True}) if block[0] == "tool" else (block[0], block[1][:-1] + "x")
        found.append(Outcome(content=(*others[0], cut, *others[1]), stops=outcome.stops, usage=outcome.usage))
        found.append(Outcome(content=(*others[0], *others[1]), stops=outcome.stops, usage=outcome.usage))
    if outcome.usage is not None:
        doubled = (outcome.usage[0] * 2 + 1, outcome.usage[1])
        found.append(Outcome(content=outcome.content, stops=outcome.stops, usage=doubled))
    return found


TEXT = block_events(0, ("text", "Hi"))
END = [message_delta("end_turn"), STOP]
HI = (Outcome(content=(("text", "Hi"),), stops=("end_turn",)),)
GOOD = [START, *TEXT, *END]

MYSTERY: dict[str, Any] = {"type": "mystery"}
BROKEN: dict[str, list[dict[str, Any]]] = {
    "nothing": [],
    "no start": [*TEXT, *END],
    "two starts": [START, *GOOD],
    "no end": [START, *TEXT, END[0]],
    "no stop reason": [START, *TEXT, message_delta(None), STOP],
    "no message_delta": [START, *TEXT, STOP],
    "two ends": [*GOOD, STOP],
    "two reasons": [START, *TEXT, END[0], *END],
    "an event after the end": [*GOOD, {"type": "ping"}],
    "an error after the end": [*GOOD, ERROR],
    "an end after the error": [START, ERROR, *END],
    "an index too far": [START, *block_events(1, ("text", "Hi")), *END],
    "the same index twice": [START, *TEXT, *TEXT, *END],
    "two blocks open": [START, TEXT[0], start(1, tool(1)), stop(1), *TEXT[1:], *END],
    "a delta without a block": [START, TEXT[1], *END],
    "a delta after its block": [START, *TEXT, TEXT[1], *END],
    "a block left open": [START, *TEXT[:2], *END],
    "a block after the reason": [START, END[0], *TEXT, STOP],
    "a delta that does not fit": [
        START,
        TEXT[0],
        delta(0, "thinking_delta", "thinking", "Hi"),
        TEXT[2],
        *END,
    ],
    "a delta of an unknown type": [START, TEXT[0], delta(0, "mystery", "text", "Hi"), TEXT[2], *END],
    "a text that is null": [
        *(START, TEXT[0]),
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": None}},
        *(TEXT[2], *END),
    ],
    "a tool id that is not allowed": [START, start(0, {**tool(0), "id": "a:0"}), stop(0), *END],
    "a tool id twice": [START, start(0, tool(0)), stop(0), start(1, tool(0)), stop(1), *END],
    "a tool without a name": [START, start(0, {**tool(0), "name": ""}), stop(0), *END],
    "an unknown event": [START, MYSTERY, *TEXT, *END],
    "usage without output tokens": [START, *TEXT, {**END[0], "usage": {}}, STOP],
    "an error without a message": [START, {"type": "error", "error": {"type": "api_error"}}],
}


def test_the_good_stream_is_good() -> None:
    assert judge(stream(GOOD), "stream", HI) == ("ok", "")
    neutral = message_delta(None)
    ping: dict[str, Any] = {"type": "ping"}
    pinged = [START, ping, neutral, TEXT[0], ping, *TEXT[1:], *END]
    assert judge(stream(pinged), "stream", HI) == ("ok", "")


@pytest.mark.parametrize("events", BROKEN.values(), ids=BROKEN)
def test_protocol_violations_break(events: list[dict[str, Any]]) -> None:
    assert judge(stream(events), "stream", (*HI, Outcome(error=""))).verdict == "BREAKS"


ODD: dict[str, tuple[Answer, str]] = {
    "time is up": (Answer(status=200, content_type="", body=b"", ended="timeout"), "HANGS"),
    "the connection is refused": (Answer(status=0, content_type="", body=b"", ended="dropped"), "BREAKS"),
    "dropped after the end": (
        Answer(status=200, content_type="text/event-stream", body=encode(GOOD), ended="dropped"),
        "BREAKS",
    ),
    "the wrong content type": (
        Answer(status=200, content_type="application/json", body=encode(GOOD)),
        "BREAKS",
    ),
    "a nameless event": (
        Answer(
            status=200, content_type="text/event-stream", body=encode(GOOD).replace(b"event: ping\n", b"x\n")
        ),
        "ok",
    ),
    "no names at all": (
        Answer(
            status=200,
            content_type="text/event-stream",
            body=encode(GOOD).replace(b"event: message_stop\n", b""),
        ),
        "BREAKS",
    ),
    "the last event not closed": (
        Answer(status=200, content_type="text/event-stream", body=encode(GOOD)[:-1]),
        "BREAKS",
    ),
    "no UTF-8": (Answer(status=200, content_type="text/event-stream", body=b"\xff\n\n"), "BREAKS"),
    "no JSON": (Answer(status=200, content_type="text/event-stream", body=b"data: {\n\n"), "BREAKS"),
    "JSON, but no object": (
        Answer(status=200, content_type="text/event-stream", body=b"data: 1\n\n"),
        "BREAKS",
    ),
    "an error in a shape of its own": (
        Answer(status=502, content_type="application/json", body=b'{"detail": "x"}'),
        "BREAKS",
    ),
    "a redirect": (Answer(status=302, content_type="", body=b""), "BREAKS"),
}


@pytest.mark.parametrize(("answer", "verdict"), ODD.values(), ids=ODD)
def test_odd_answers(answer: Answer, verdict: str) -> None:
    assert judge(answer, "stream", HI).verdict == verdict


def test_the_wrong_class_of_error_breaks() -> None:
    answer = whole(Outcome(error="5xx"))
    assert judge(answer, "whole", (Outcome(error="429"),)).verdict == "BREAKS"
    assert judge(answer, "whole", (Outcome(error="5xx"),)).verdict == "ok"


def test_a_call_that_is_closed_though_it_was_cut_is_a_lie() -> None:
    events = [START, *block_events(0, ("tool", "get_weather", '{"city": "Os')), ERROR]
    assert judge(stream(events), "stream", (Outcome(error=""),)).verdict == "LIES"
    assert judge(stream([*events[:-2], ERROR]), "stream", (Outcome(error=""),)).verdict == "ok"


@pytest.mark.parametrize("broken", ["[]", '{"type": "message"}', '{"type": "error"}', "", "<html>"])
def test_whole_answers_that_are_no_message_break(broken: str) -> None:
    answer = Answer(status=200, content_type="application/json", body=broken.encode())
    assert judge(answer, "whole", HI).verdict == "BREAKS"
