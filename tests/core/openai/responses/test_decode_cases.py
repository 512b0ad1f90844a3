"""Every answer case of tests/cases/responses: events or a whole answer, and the message they become.

Signatures and redacted data are compared by what is sealed in them. Each stream is read whole, byte by byte
and cut at random, with and without names on its events.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.core.answer_context import ReplyContext
from claude_code_proxy.core.continuity import open_reasoning
from claude_code_proxy.core.convert_answer import StreamConverter, StreamFold, message_from_answer
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.errors.context import ErrorContext
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Report
from tests import paths
from tests.core.cases import matches, parse_events, told
from tests.core.test_convert_answer_cases import cut

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = paths.CASES / "responses"
STREAMS = sorted(FOLDER.glob("stream_*.json"))
ANSWERS = sorted(FOLDER.glob("answer_*.json"))


def load(path: Path) -> dict[str, Any]:
    case: dict[str, Any] = json.loads(path.read_text())
    return case


def profile_of(case: dict[str, Any]) -> Profile:
    return Profile(**{"api": "responses", "start_usage": "zero", **case.get("model_config", {})})


def reply_of(case: dict[str, Any]) -> ReplyContext:
    given: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in case.get("reply", {}).items()
    }
    errors = ErrorContext(
        profile=profile_of(case), model="claude-x", input_tokens=given.get("input_tokens", 0)
    )
    return ReplyContext(model="claude-x", message_id="msg_test", errors=errors, **given)


def encoded(case: dict[str, Any], *, named: bool = True) -> bytes:
    out = b""
    for event in case["events"]:
        kind = event.get("type") if isinstance(event, dict) else None
        if named and isinstance(kind, str):
            out += f"event: {kind}\n".encode()
        data = event if event == "[DONE]" else json.dumps(event)
        out += f"data: {data}\n\n".encode()
    return out


def opened(message: dict[str, Any]) -> dict[str, Any]:
    """The message with its seals opened."""
    for block in message["content"]:
        for field in ("signature", "data"):
            if field in block:
                seal = open_reasoning(block[field])
                assert seal is not None
                block[field] = seal.items
    return message


def check(case: dict[str, Any], message: dict[str, Any]) -> None:
    message = opened(message)
    expected = {"id": "msg_test", "type": "message", "role": "assistant", "model": "claude-x"}
    matches({**expected, **case["expected"]}, message)
    uses = [b["id"] for b in message["content"] if b["type"] == "server_tool_use"]
    assert uses == [b["tool_use_id"] for b in message["content"] if b["type"] == "web_search_tool_result"]
    assert len(set(uses)) == len(uses)


def run(case: dict[str, Any], reads: list[bytes]) -> tuple[bytes, ApiError | None]:
    converter = StreamConverter(profile_of(case), reply_of(case), Report(), "req_test")
    out = b"".join(converter.feed(read) for read in reads if not converter.finished)
    if not converter.finished:
        out += converter.close()
    return out, converter.error


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
def test_stream_folds_to_the_message(path: Path, named: bool) -> None:
    case, report = load(path), Report()
    fold = StreamFold(profile_of(case), reply_of(case), report)
    fold.feed(encoded(case, named=named))
    if "expected_error" in case:
        with pytest.raises(ApiError) as caught:
            fold.close()
        status, kind, words = case["expected_error"]
        assert (caught.value.status, caught.value.type) == (status, kind)
        assert words in caught.value.message
    else:
        message, _ = fold.close()
        check(case, message)
    assert told(report) == case["expected_notices"]


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
def test_stream_is_the_same_however_it_is_cut(path: Path) -> None:
    case = load(path)
    raw = encoded(case)
    out, error = run(case, [raw])
    if "expected_error" in case:
        assert b"message_stop" not in out
        assert error is not None or parse_events(out)[-1]["type"] == "error"
    else:
        assert [event["type"] for event in parse_events(out)].count("message_stop") == 1
    pick = random.Random(path.stem)
    for reads in ([raw[at : at + 1] for at in range(len(raw))], cut(raw, pick.randrange(99)), cut(raw, 7)):
        again, its_error = run(case, reads)
        assert again == out
        assert (its_error is None) == (error is None)


@pytest.mark.parametrize("path", ANSWERS, ids=lambda path: path.stem)
def test_whole_answer(path: Path) -> None:
    case, report = load(path), Report()
    profile, reply = profile_of(case), reply_of(case)
    if "expected_error" in case:
        with pytest.raises(ApiError) as caught:
            message_from_answer(case["answer"], profile, reply, report)
        status, kind, words = case["expected_error"]
        assert (caught.value.status, caught.value.type) == (status, kind)
        assert words in caught.value.message
        return
    message, _ = message_from_answer(case["answer"], profile, reply, report)
    check(case, message)
    assert told(report) == case["expected_notices"]
    # the same body where a stream was asked for
    if case["answer"].get("object") == "response":
        fold = StreamFold(profile, reply, Report())
        fold.feed(b"data: " + json.dumps(case["answer"]).encode() + b"\n\n")
        check(case, fold.close()[0])


def test_a_flood_of_unknown_things_is_reported_once_each_and_bounded() -> None:
    events: list[Any] = [{"type": f"response.new.{at}"} for at in range(500)]
    events += [
        {"type": "response.output_item.done", "output_index": at, "item": {"type": f"kind {at % 3}"}}
        for at in range(500)
    ]
    report = Report()
    fold = StreamFold(Profile(api="responses"), ReplyContext(model="m", message_id="msg_1"), report)
    fold.feed(encoded({"events": events}))
    with pytest.raises(ApiError):
        fold.close()
    assert len(report.notices) <= 40
