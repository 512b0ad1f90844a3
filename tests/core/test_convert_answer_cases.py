"""Whole answers and streams, by the case files: each stream whole, byte by byte and cut at random."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.core.convert_answer import StreamConverter, StreamFold, message_from_answer
from claude_code_proxy.core.errors.api import ApiError
from tests.core import cases

if TYPE_CHECKING:
    from pathlib import Path


def convert(case: dict[str, Any], reads: list[bytes]) -> bytes:
    profile = cases.profile_of(case)
    converter = StreamConverter(profile, cases.reply_of(case, profile), cases.new_report(), "req_test")
    out = b""
    for read in reads:
        if not converter.finished:
            out += converter.feed(read)
    if not converter.finished:
        out += converter.close()
    assert converter.finished
    if converter.error is not None:
        assert out == b""
        return b"event: http_error\ndata: %d %b\n\n" % (converter.error.status, converter.error.type.encode())
    return out


def cut(data: bytes, seed: int) -> list[bytes]:
    pick = random.Random(seed)
    at = sorted(pick.choices(range(len(data) + 1), k=pick.randrange(1, 20)))
    return [data[start:end] for start, end in zip([0, *at], [*at, len(data)], strict=True)]


@pytest.mark.parametrize("path", cases.case_files("response"), ids=lambda path: path.stem)
def test_whole_answer(path: Path) -> None:
    case = cases.load(path)
    profile = cases.profile_of(case)
    report = cases.new_report()
    reply = cases.reply_of(case, profile)
    if "expected_error" in case:
        with pytest.raises(ApiError) as caught:
            message_from_answer(case["openai_response"], profile, reply, report)
        assert (caught.value.status, caught.value.type) == tuple(case["expected_error"])
        return
    message, _ = message_from_answer(case["openai_response"], profile, reply, report)
    cases.matches(case["expected_anthropic_response"], message)
    assert cases.told(report) == case["expected_notices"]


@pytest.mark.parametrize("path", cases.case_files("stream"), ids=lambda path: path.stem)
def test_stream(path: Path) -> None:
    case = cases.load(path)
    reads = cases.chunks_of(case)
    out = convert(case, reads)
    if "expected_error" in case:
        status, kind = case["expected_error"]
        assert out == b"event: http_error\ndata: %d %b\n\n" % (status, kind.encode())
    else:
        expected = cases.merged([event["data"] for event in case["expected_events"]])
        cases.matches(expected, cases.merged(cases.parse_events(out)))
    data = b"".join(reads)
    assert convert(case, [data]) == out
    assert convert(case, [data[at : at + 1] for at in range(len(data))]) == out
    for seed in range(5):
        assert convert(case, cut(data, seed)) == out


@pytest.mark.parametrize("path", cases.case_files("stream"), ids=lambda path: path.stem)
def test_stream_adds_up_to_the_message(path: Path) -> None:
    """A stream where a whole answer was asked for: the same content, or the same failure."""
    case = cases.load(path)
    profile = cases.profile_of(case)
    report = cases.new_report()
    folded = StreamFold(profile, cases.reply_of(case, profile), report)
    for read in cases.chunks_of(case):
        folded.feed(read)
    ends_well = "expected_events" in case and case["expected_events"][-1]["event"] == "message_stop"
    if not ends_well:
        with pytest.raises(ApiError):
            folded.close()
        assert cases.told(report) == case["expected_notices"]
        return
    message, _ = folded.close()
    assert cases.told(report) == case["expected_notices"]
    starts = [e["data"] for e in case["expected_events"] if e["event"] == "content_block_start"]
    assert [b["type"] for b in message["content"]] == [s["content_block"]["type"] for s in starts]
    assert message["stop_reason"] is not None
