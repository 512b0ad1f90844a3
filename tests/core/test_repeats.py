"""Chunks that repeat are read without parsing them, and nobody can tell."""

from __future__ import annotations

import itertools
import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_code_proxy.core import convert_answer
from claude_code_proxy.core.answer_context import ReplyContext
from claude_code_proxy.core.convert_answer import StreamConverter
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.openai.chat.decode import parse_chunk
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.repeats import RepeatingConverter
from claude_code_proxy.core.report import Report
from tests.core import cases
from tests.core.openai.chat.test_decode_recorded import recordings

if TYPE_CHECKING:
    from pathlib import Path

STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


READ_CLOSELY = (b"<think>", b"\\u003cthink", b'"thinking":[', b"reasoning_details")
"""Streams whose text has to be looked into, or comes twice."""


def outcome(reads: list[bytes], *, plain: bool, profile: Profile, reply: ReplyContext) -> tuple[Any, ...]:
    """Everything that can be told of a stream; `plain`: each chunk parsed."""
    report = Report()
    reference = StreamConverter(profile, reply, report, "req_1")
    converter = reference if plain else RepeatingConverter(reference)
    out = [converter.feed(read) for read in reads]
    if not converter.finished:
        out.append(converter.close())
    error = converter.error
    return b"".join(out), converter.usage, report.notices, error and (error.status, error.message)


def cuts(raw: bytes, seed: int) -> list[list[bytes]]:
    """`raw` whole, event by event, byte by byte where that is affordable, and cut at random."""
    events = raw.split(b"\n\n")
    by_event = [event + b"\n\n" for event in events[:-1]] + [events[-1]]
    pick = random.Random(seed)
    positions = sorted({0, len(raw), *(pick.randrange(len(raw) + 1) for _ in range(20))})
    at_random = [raw[a:b] for a, b in itertools.pairwise(positions)]
    by_byte = [raw[at : at + 1] for at in range(len(raw))] if len(raw) < 20_000 else [raw]
    return [[raw], by_event, by_byte, at_random]


def same(raw: bytes, profile: Profile, reply: ReplyContext) -> None:
    expected = outcome([raw], plain=True, profile=profile, reply=reply)
    for reads in cuts(raw, len(raw)):
        assert outcome(reads, plain=False, profile=profile, reply=reply) == expected


@pytest.mark.parametrize("path", recordings(".sse"), ids=lambda path: path.stem)
def test_recorded_streams(path: Path) -> None:
    same(path.read_bytes(), Profile(), ReplyContext(model="m", message_id="msg_1"))


@pytest.mark.parametrize("path", cases.case_files("stream"), ids=lambda path: path.stem)
def test_stream_cases(path: Path) -> None:
    case = cases.load(path)
    profile = cases.profile_of(case)
    same(b"".join(cases.chunks_of(case)), profile, cases.reply_of(case, profile))


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The chunks that are parsed from now on."""
    seen: list[bytes] = []

    def noted(data: bytes) -> Any:
        seen.append(data)
        return parse_chunk(data)

    monkeypatch.setattr(convert_answer, "parse_chunk", noted)
    return seen


def test_how_many_recorded_chunks_are_parsed(parsed: list[bytes]) -> None:
    if not recordings(".sse"):
        pytest.skip("the recordings are not here")
    total = 0
    for path in recordings(".sse"):
        raw = path.read_bytes()
        if not any(mark in raw for mark in READ_CLOSELY):
            total += raw.count(b"data:")
            outcome([raw], plain=False, profile=Profile(), reply=ReplyContext(model="m", message_id="m"))
    assert len(parsed) < 0.25 * total


# --- one chunk after another, in every way a provider may write them ------------------------------------

TEXTS = st.text(st.sampled_from('ab "\\/\n\té漢😀{}[]:,'), max_size=6)
SPOKEN = ("content", "reasoning_content", "reasoning", "arguments")


def chunk(
    field: str, text: str, padding: dict[str, str], *, first: bool, spaced: bool, ascii_only: bool
) -> bytes:
    delta: dict[str, Any] = {field: text}
    if field == "arguments":
        delta = {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}
    choices = {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    payload = {**padding, **choices} if first else {**choices, **padding}
    separators = (", ", ": ") if spaced else (",", ":")
    return b"data: " + json.dumps(payload, separators=separators, ensure_ascii=ascii_only).encode() + b"\n\n"


@given(
    runs=st.lists(st.tuples(st.sampled_from(SPOKEN), st.lists(TEXTS, min_size=1, max_size=8)), max_size=4),
    padded=st.sampled_from(("", "obfuscation", "p")),
    first=st.booleans(),
    spaced=st.booleans(),
    ascii_only=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_any_chunks(
    runs: list[tuple[str, list[str]]], padded: str, first: bool, spaced: bool, ascii_only: bool, seed: int
) -> None:
    pick = random.Random(seed)
    start = {"tool_calls": [{"index": 0, "id": "call_1", "function": {"name": "Read", "arguments": ""}}]}
    raw = b""
    called = False
    for field, texts in runs:
        if field == "arguments" and not called:
            called = True
            raw += b"data: " + json.dumps({"choices": [{"index": 0, "delta": start}]}).encode() + b"\n\n"
        for text in texts:
            padding = {padded: "".join(pick.choices("xyz01", k=pick.randrange(6)))} if padded else {}
            raw += chunk(field, text, padding, first=first, spaced=spaced, ascii_only=ascii_only)
    profile, reply = Profile(), ReplyContext(model="m", message_id="msg_1")
    expected = outcome([raw + STOP], plain=True, profile=profile, reply=reply)
    for reads in cuts(raw + STOP, seed):
        assert outcome(reads, plain=False, profile=profile, reply=reply) == expected


@pytest.mark.parametrize(("padding", "first"), [({}, False), ({"p": "x9"}, False), ({"p": "x9"}, True)])
@pytest.mark.parametrize("spaced", [False, True], ids=["compact", "spaced"])
@pytest.mark.parametrize("cut", [False, True], ids=["whole", "cut"])
def test_one_of_many_alike_is_parsed(
    parsed: list[bytes], padding: dict[str, str], first: bool, spaced: bool, cut: bool
) -> None:
    runs = [
        [chunk(field, text, padding, first=first, spaced=spaced, ascii_only=True) for text in "abcd"]
        for field in ("reasoning_content", "content")
    ]
    pieces = [[a, b, c[:40], c[40:] + d] for a, b, c, d in runs]
    reads = [*pieces[0], *pieces[1]] if cut else [b"".join(pieces[0] + pieces[1])]
    outcome(reads, plain=False, profile=Profile(), reply=ReplyContext(model="m", message_id="m"))
    # The first of a run begins a block too, so the second one is the first that shows how the others look.
    assert [b"data: " + each + b"\n\n" for each in parsed] == runs[0][:2] + runs[1][:2]


# --- what looks like a repetition and is none ------------------------------------------------------------


def said(text: bytes, more: bytes = b"") -> bytes:
    return b'data: {"choices":[{"index":0,"delta":{"content":"%b"%b}}]}\n\n' % (text, more)


def called(arguments: bytes) -> bytes:
    function = b'{"name":"Read","arguments":"%b"}' % arguments
    return b'data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c","function":%b}]}}]}\n\n' % function


def argued(text: bytes) -> bytes:
    entry = b'{"index":0,"function":{"arguments":"%b"}}' % text
    return b'data: {"choices":[{"delta":{"tool_calls":[%b]}}]}\n\n' % entry


ARGUMENTS = (
    (b'{\\"a\\":', b'\\"x', b"y", b"z", b'\\"', b"}"),
    (b'{\\"a\\":', b'\\"x', b"y", b'\\"}', b" ", b"more"),
    (b'{\\"a\\":', b"1", b"2}", b"{", b"}"),
    (b"{", b"}", b'{\\"a\\"', b":1", b"}"),
    (b'{\\"a\\"', b'{\\"a\\":1', b'{\\"a\\":12', b'{\\"a\\":12}'),
    (b'{\\"a\\":\\"', b"x\\n", b"y", b"z"),
    (b'{\\"a\\":', b"tr", b"u", b"x", b"y", b"z"),
    (b'{\\"a\\":', b"[" * 100, b"[" * 100, b"[" * 100, b"1", b"2", b"3"),
)


NO_REPETITIONS: list[tuple[str, list[bytes]]] = [
    ("an empty text", [said(b"a"), said(b"b"), said(b""), said(b"c")]),
    ("another field", [said(b"a"), said(b"b"), said(b'c","x":"d')]),
    ("a text that ends in a backslash", [said(b"a"), said(b"b"), said(b"c\\"), said(b"d")]),
    ("and one that a quote follows", [said(b"a"), said(b"b"), said(b"c\\"), said(b',"d'), said(b"e")]),
    ("a control character", [said(b"a"), said(b"b"), said(b"c\x01"), said(b"d")]),
    ("bytes that are no UTF-8", [said(b"a"), said(b"b"), said(b"c\xff"), said(b"d")]),
    ("half a surrogate pair", [said(b"a"), said(b"b"), said(b"\\ud83d"), said(b"\\ude00")]),
    ("an escaped slash", [said(b"a"), said(b"b"), said(b"1\\/2"), said(b"\\u00e9")]),
    ("an unknown escape", [said(b"a"), said(b"b"), said(b"\\x"), said(b"c")]),
    ("a name for the event", [said(b"a"), b"event: error\n" + said(b"b"), said(b"c")]),
    ("a comment between", [said(b"a"), b": ping\n\n", said(b"b"), b": ping\n\n", said(b"c")]),
    ("another tail", [said(b"a"), said(b"b"), said(b"c", b',"role":"assistant"'), said(b"d")]),
    ("a finish", [said(b"a"), said(b"b"), STOP[:-14], said(b"c")]),
    ("a role that says the same", [said(b"content", b',"role":"content"') for _ in range(4)]),
    ("the same text twice", [said(b"a", b',"x":{"content":"a"}') for _ in range(4)]),
    ("an error field", [said(b"a").replace(b"}\n\n", b',"error":null}\n\n') for _ in range(4)]),
    ("an error in words", [*[said(b"a")] * 3, b'data: {"error":{"message":"no"}}\n\n']),
    ("a tool's name in each chunk", [called(text) for text in (b'{\\"a', b'\\":', b"1", b"}")]),
    *((f"arguments {pieces}", [called(b""), *map(argued, pieces), STOP]) for pieces in ARGUMENTS),
    ("CR LF", [said(b"a").replace(b"\n", b"\r\n"), said(b"b").replace(b"\n", b"\r\n")]),
    ("a long chunk in pieces", [said(b"a"), said(b"b"), said(b"c" * 200_000), said(b"d")]),
    ("cut in the middle", [said(b"a"), said(b"b"), said(b"c")[:-20]]),
    ("cut before its end", [said(b"a"), said(b"b"), said(b"c")[:-1]]),
    ("usage beside the text", [said(b"a"), said(b"b").replace(b"}\n\n", b',"usage":{"prompt_tokens":1}}\n\n')] * 2),
    ("more than padding", [said(b"a").replace(b"}\n\n", b',"p":"' + p + b'"}\n\n') for p in (b"x", b"y", b'z","usage":{"prompt_tokens":1},"q":"z', b"x")]),
    ("padding that is none", [said(b"a").replace(b"}\n\n", b',"p":"' + p + b'"}\n\n') for p in (b"x", b"y", b"-", b"")]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "events"), NO_REPETITIONS, ids=[what for what, _ in NO_REPETITIONS])
def test_what_is_no_repetition(what: str, events: list[bytes]) -> None:
    raw = b"".join(events)
    profile, reply = Profile(), ReplyContext(model="m", message_id="msg_1")
    expected = outcome([raw], plain=True, profile=profile, reply=reply)
    pieces = [raw[at : at + 10_000] for at in range(0, len(raw), 10_000)]
    for reads in ([raw], events, pieces):
        assert outcome(reads, plain=False, profile=profile, reply=reply) == expected


@pytest.mark.parametrize(
    "profile",
    [
        Profile(think_tags="auto", implicit_think=True),
        Profile(text_tool_calls=("hermes",)),
        Profile(merge_choices=True),
    ],
    ids=["reasoning in the text", "calls in the text", "several choices"],
)
def test_profiles_that_read_the_text(profile: Profile) -> None:
    reply = ReplyContext(model="m", message_id="msg_1", tool_names={"Read": "Read"})
    call = [b"<tool_", b"call>", b'{\\"name\\":\\"Read\\",', b'\\"arguments\\":{}}', b"</tool_call>"]
    texts = [b"thinking", b" more", b"</th", b"ink>", b"then", b" text", *call, b"end"]
    same(b"".join(map(said, texts)) + STOP, profile, reply)


@pytest.mark.parametrize("hide", [False, True])
def test_stop_sequences_and_hidden_thinking(hide: bool) -> None:
    reply = ReplyContext(
        model="m", message_id="msg_1", local_stop_sequences=("STOP",), hide_thinking_text=hide
    )
    thoughts = [said(text).replace(b'"content"', b'"reasoning"') for text in (b"a", b"b", b"c")]
    raw = b"".join([*thoughts, *map(said, (b"d", b"e", b"S", b"TO", b"P", b"f"))]) + STOP
    same(raw, Profile(), reply)


def test_the_responses_format_is_read_the_plain_way() -> None:
    events = [
        {"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "delta": text}
        for text in ("a", "b", "c")
    ]
    raw = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    same(raw, Profile(api="responses"), ReplyContext(model="m", message_id="m"))


def test_what_the_exchange_asks_of_a_converter() -> None:
    reply = ReplyContext(model="m", message_id="msg_1")
    plain, fast = (StreamConverter(Profile(), reply, Report(), "req_1") for _ in range(2))
    converter = RepeatingConverter(fast)
    assert converter.begin() == plain.begin()
    assert converter.feed(said(b"a")) == plain.feed(said(b"a"))
    assert converter.progress() == plain.progress()
    assert (converter.started, converter.ending) == (plain.started, plain.ending) == (True, False)
    failure = ApiError(502, "api_error", "gone")
    assert converter.fail(failure) == plain.fail(failure)
    assert converter.finished


def test_a_failure_may_come_first() -> None:
    converter = RepeatingConverter(
        StreamConverter(Profile(), ReplyContext(model="m", message_id="m"), Report(), "r")
    )
    converter.begin()
    converter.feed(b": ping\n\n")
    assert b'"boom"' in converter.feed(b"event: error\ndata: boom\n\n")
    assert converter.finished
