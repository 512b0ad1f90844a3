"""The state machine, driven with arbitrary deltas."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from claude_code_proxy.core import continuity
from claude_code_proxy.core.answer.block_events import TRANSITIONS
from claude_code_proxy.core.answer.message import fold
from claude_code_proxy.core.answer.open_block import MOST_BLANK
from claude_code_proxy.core.answer.writer import BlockWriter
from claude_code_proxy.core.answer_context import ReplyContext
from claude_code_proxy.core.deltas import (
    Citation,
    Delta,
    Failure,
    Finish,
    Page,
    Reasoning,
    ReasoningState,
    Refusal,
    Text,
    ToolArguments,
    ToolStart,
    Usage,
    WebFetch,
    WebSearch,
)
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Report
from tests.core.cases import CASES, load

EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
WORDS = st.text(alphabet="ab <>{}\n", min_size=1, max_size=5)
PLAIN = st.one_of(
    st.builds(Text, WORDS),
    st.builds(Reasoning, WORDS),
    st.builds(Refusal, WORDS),
    st.builds(ReasoningState, st.just("rd"), st.just([{"type": "reasoning.encrypted", "data": "E"}])),
    st.builds(Usage, st.integers(1, 9), st.integers(1, 9)),
)
CALLS = st.lists(
    st.tuples(
        st.sampled_from(["", "x", "call:1"]),
        st.sampled_from(
            ["{}", '{"a": 1}', '{"a": {"b": [1, "x}"]}}', '{"a"', "", "no", "{}{}", '{"a":1} tail']
        ),
    ),
    max_size=4,
)


@st.composite
def answers(draw: st.DrawFn) -> list[Delta]:
    """Text, reasoning and tool calls, their pieces interleaved at will; starts come before arguments."""
    queues: list[list[Delta]] = [draw(st.lists(PLAIN, max_size=6))]
    for key, (call_id, arguments) in enumerate(draw(CALLS)):
        cut = draw(st.integers(0, len(arguments)))
        pieces = [ToolArguments(key, piece) for piece in (arguments[:cut], arguments[cut:]) if piece]
        queues.append([ToolStart(key, call_id, "Read"), *pieces])
    out: list[Delta] = []
    while any(queues):
        queue = draw(st.sampled_from([queue for queue in queues if queue]))
        out.append(queue.pop(0))
    if draw(st.booleans()):
        reason = draw(st.sampled_from(["end_turn", "tool_use", "max_tokens", "refusal"]))
        out.insert(draw(st.integers(0, len(out))), Finish(reason))  # type: ignore[arg-type]
    return out


def writer(profile: Profile | None = None, **reply: Any) -> BlockWriter:
    context = ReplyContext(**{"model": "claude-x", "message_id": "msg_1", **reply})
    return BlockWriter(profile or Profile(), context, Report())


def written(deltas: list[Delta], **reply: Any) -> list[dict[str, Any]]:
    blocks = writer(**reply)
    out = [event for delta in deltas for event in blocks.write([delta])]
    return out + blocks.end()


def contents(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = fold(events, Report())["content"]
    return content


def check(events: list[dict[str, Any]]) -> None:
    """The contract of a stream that ends well."""
    kinds = [event["type"] for event in events]
    assert kinds[:2] == ["message_start", "ping"]
    assert kinds[-2:] == ["message_delta", "message_stop"]
    assert kinds.count("message_start") == kinds.count("message_stop") == kinds.count("message_delta") == 1
    opened, following = None, 0
    for event in events:
        match event["type"]:
            case "content_block_start":
                assert opened is None
                assert event["index"] == following
                opened, following = event["index"], following + 1
            case "content_block_delta":
                assert event["index"] == opened
            case "content_block_stop":
                assert event["index"] == opened
                opened = None
            case "message_delta":
                assert opened is None


@given(answers())
def test_every_answer_keeps_the_contract(deltas: list[Delta]) -> None:
    events = written(deltas)
    check(events)
    content = contents(events)
    text = "".join(block["text"] for block in content if block["type"] == "text")
    sent = "".join(delta.text for delta in deltas if isinstance(delta, Text | Refusal))
    assert text.split() == sent.split() or "".join(text.split()) == "".join(sent.split())
    reasoning = "".join(block["thinking"] for block in content if block["type"] == "thinking")
    assert reasoning == "".join(delta.text for delta in deltas if isinstance(delta, Reasoning))
    calls = [block for block in content if block["type"] == "tool_use"]
    assert len(calls) == sum(isinstance(delta, ToolStart) for delta in deltas)
    assert len({call["id"] for call in calls}) == len(calls)
    sealed = [block for block in content if block["type"] in ("thinking", "redacted_thinking")]
    items = [
        item
        for block in sealed
        if (opened := continuity.open_reasoning(block.get("signature") or block.get("data", "")))
        for item in opened.items
    ]
    assert items == [item for delta in deltas if isinstance(delta, ReasoningState) for item in delta.items]


@given(answers())
def test_arguments_arrive_as_they_were_written(deltas: list[Delta]) -> None:
    calls = [block["input"] for block in contents(written(deltas)) if block["type"] == "tool_use"]
    sent: dict[int, str] = {delta.key: "" for delta in deltas if isinstance(delta, ToolStart)}
    for delta in deltas:
        if isinstance(delta, ToolArguments):
            sent[delta.key] += delta.text
    whole = {text: json.loads(text) for text in ("{}", '{"a": 1}', '{"a": {"b": [1, "x}"]}}')}
    whole |= {"": {}, "{}{}": {}, '{"a":1} tail': {"a": 1}}
    whole |= {text: {"_raw_arguments": text} for text in ('{"a"', "no")}
    got = sorted(json.dumps(call) for call in calls)
    assert got == sorted(json.dumps(whole[text]) for text in sent.values())


@given(answers())
def test_the_sdk_accumulates_what_the_fold_adds_up(deltas: list[Delta]) -> None:
    if any(isinstance(delta, ToolArguments) and not delta.text.startswith("{") for delta in deltas):
        return  # the SDK raises on tool JSON that is invalid, as it should
    events = written(deltas)
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    for event in events:
        if event["type"] != "ping":
            snapshot = accumulate_event(
                event=EVENT.validate_python(event), current_snapshot=snapshot, json_bufs=buffers
            )
    folded = fold(events, Report())
    assert snapshot.stop_reason == folded["stop_reason"]
    assert [block.type for block in snapshot.content] == [block["type"] for block in folded["content"]]
    for ours, theirs in zip(folded["content"], snapshot.content, strict=True):
        if ours["type"] in ("text", "thinking"):
            assert getattr(theirs, ours["type"]) == ours[ours["type"]]


@given(answers(), st.integers(0, 20))
def test_keep_alives_go_anywhere(deltas: list[Delta], every: int) -> None:
    blocks = writer()
    out = blocks.begin()
    for at, delta in enumerate(deltas):
        out += blocks.write([delta])
        if every and at % every == 0:
            out += blocks.progress()
    out += blocks.end()
    neutral = [e for e in out if e["type"] == "message_delta" and e["usage"] == {"output_tokens": 0}]
    plain = [event for event in out if event not in neutral]
    check(plain)
    assert contents(plain) == contents(written(deltas))


def test_progress_fits_the_open_block() -> None:
    blocks = writer()
    assert [event["type"] for event in blocks.progress()] == ["message_start", "ping", "message_delta"]
    blocks.write([Reasoning("r")])
    assert blocks.progress()[0]["delta"] == {"type": "thinking_delta", "thinking": ""}
    blocks.write([Text("t")])
    assert blocks.progress()[0]["delta"] == {"type": "text_delta", "text": ""}
    blocks.write([ToolStart(0, "x", "Read")])
    assert blocks.progress()[0]["delta"] == {"type": "input_json_delta", "partial_json": ""}


def test_nothing_follows_the_end() -> None:
    blocks = writer()
    blocks.end()
    with pytest.raises(RuntimeError, match="ended"):
        blocks.write([Text("x")])
    with pytest.raises(RuntimeError, match="ended"):
        blocks.end()


def test_transitions_that_no_decoder_may_ask_for() -> None:
    start = ToolStart(0, "x", "Read")
    cases: list[tuple[list[Delta], str]] = [
        ([ToolArguments(0, "{}")], "not started"),
        ([start, start], "started twice"),
        ([Failure(ApiError(500, "api_error", "x"))], "call fail"),
    ]
    for deltas, what in cases:
        with pytest.raises(RuntimeError, match=what):
            writer().write(deltas)


def test_no_event_can_be_written_out_of_order() -> None:
    for state, following in TRANSITIONS.items():
        for event in {"message_start", "content_block_delta", "content_block_stop", "message_stop"}:
            blocks = writer()
            blocks._state = state
            if event in following:
                blocks._emit({"type": event})
                assert blocks._state is following[event]
            else:
                with pytest.raises(RuntimeError, match=f"{event} cannot follow"):
                    blocks._emit({"type": event})


def test_a_failure_leaves_the_open_block_open() -> None:
    blocks = writer()
    blocks.write([Text("Hel")])
    events = blocks.fail(ApiError(529, "overloaded_error", "busy"), "req_1")
    assert events == [
        {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}, "request_id": "req_1"}
    ]
    assert blocks.finished


def test_thinking_that_nobody_asked_for() -> None:
    deltas: list[Delta] = [Reasoning("r"), ReasoningState("rd", [{}]), Text("t")]
    assert contents(written(deltas, show_thinking=False)) == [{"type": "text", "text": "t"}]


def test_thinking_without_its_text() -> None:
    content = contents(written([Reasoning("r"), Text("t")], hide_thinking_text=True))
    assert content[0]["thinking"] == ""
    opened = continuity.open_reasoning(content[0]["signature"])
    assert opened == ("custom", "claude-x", "text", ["r"])  # hidden from the client, needed by the provider


def test_state_before_reasoning_joins_its_block() -> None:
    content = contents(
        written([ReasoningState("rd", [1]), Reasoning("r"), ReasoningState("rd", [2]), Text("t")])
    )
    assert [block["type"] for block in content] == ["thinking", "text"]
    opened = continuity.open_reasoning(content[0]["signature"])
    assert opened == ("custom", "claude-x", "rd", [1, 2])


def test_state_in_the_middle_of_text_does_not_split_it() -> None:
    content = contents(written([Text("a"), ReasoningState("rd", [1]), Text("b")]))
    assert [block["type"] for block in content] == ["text", "redacted_thinking"]


def test_white_space_between_reasoning_and_tools_is_no_text() -> None:
    deltas: list[Delta] = [
        Reasoning("r"),
        Text("\n\n"),
        ToolStart(0, "x", "Read"),
        Text(" "),
        ToolStart(1, "y", "Read"),
    ]
    assert [block["type"] for block in contents(written(deltas))] == ["thinking", "tool_use", "tool_use"]
    assert contents(written([Reasoning("r"), Text("\n"), Text("t")]))[1]["text"] == "\nt"


def test_ids_are_unique_over_the_conversation() -> None:
    deltas: list[Delta] = [
        ToolStart(0, "get_0", "Read"),
        ToolStart(1, "get_0", "Read"),
        ToolStart(2, "", "Read"),
    ]
    ids = [block["id"] for block in contents(written(deltas, used_tool_ids=frozenset(["get_0"])))]
    assert len({*ids, "get_0"}) == 4
    assert [continuity.open_tool_id(id_).id for id_ in ids[:2]] == ["get_0", "get_0"]
    assert ids[2].startswith("toolu_")


def test_late_arguments_are_reported() -> None:
    report = Report()
    blocks = BlockWriter(Profile(), ReplyContext(model="m", message_id="msg_1"), report)
    blocks.write([ToolStart(0, "x", "Read"), ToolArguments(0, "{}"), Text("t"), ToolArguments(0, " ")])
    assert report.codes == []
    blocks.write([ToolArguments(0, "{}")])
    assert report.codes == ["tool_arguments_late"]


@pytest.mark.parametrize(
    ("pieces", "expected", "stop"),
    [
        (["abc EN", "D more"], "abc ", "END"),
        (["EN", "D more"], "", "END"),
        (["abc EN"], "abc EN", None),
        (["EN"], "EN", None),
        (["EN", "x"], "ENx", None),
        (["END", "more"], "", "END"),
    ],
)
def test_stop_sequences(pieces: list[str], expected: str, stop: str | None) -> None:
    blocks = writer(local_stop_sequences=("END",))
    out = blocks.write([Text(piece) for piece in pieces])
    out += blocks.write([Usage(3, 4)]) + blocks.end()
    message = fold(out, Report())
    assert "".join(block["text"] for block in message["content"]) == expected
    assert message["stop_sequence"] == stop
    assert message["stop_reason"] == ("stop_sequence" if stop else "end_turn")
    assert message["usage"]["output_tokens"] == 4


def test_a_held_stop_sequence_stands_before_what_follows() -> None:
    blocks = writer(local_stop_sequences=("END",))
    out = blocks.write([Text("E"), Reasoning("r"), Text("E"), ToolStart(0, "x", "Read")]) + blocks.end()
    content = fold(out, Report())["content"]
    assert [block["type"] for block in content] == ["text", "thinking", "text", "tool_use"]


def test_the_output_limit_cut_a_tool_call() -> None:
    """vLLM answers `tool_calls` all the same."""
    deltas: list[Delta] = [
        ToolStart(0, "x", "Read"),
        ToolArguments(0, '{"a"'),
        Finish("tool_use"),
        Usage(1, 100),
    ]
    blocks = writer(max_tokens=100)
    assert fold(blocks.write(deltas) + blocks.end(), Report())["stop_reason"] == "max_tokens"
    assert fold(written(deltas, max_tokens=200), Report())["stop_reason"] == "tool_use"


def test_usage_is_estimated_when_there_is_none() -> None:
    for case in load(CASES / "tokens" / "texts.json")["cases"]:
        pieces = [Text(letter) for letter in case["text"]]
        message = fold(written([*pieces, Finish("end_turn")], input_tokens=7), Report())
        assert message["usage"]["input_tokens"] == 7
        assert message["usage"]["output_tokens"] == pytest.approx(case["tokens"], rel=0.15)


def test_hidden_thinking_counts() -> None:
    deltas: list[Delta] = [Reasoning("one two three four five six seven"), Text("eight"), Finish("end_turn")]
    hidden, shown = (
        fold(written(deltas, hide_thinking_text=hide), Report())["usage"]["output_tokens"]
        for hide in (True, False)
    )
    assert hidden == shown == pytest.approx(8, abs=2)


def test_the_estimate_is_there_at_the_start() -> None:
    start = written([Text("x")], input_tokens=7)[0]["message"]["usage"]
    assert start["input_tokens"] == 7


def test_reasoning_state_of_nothing_is_no_block() -> None:
    assert contents(written([ReasoningState("rd", []), Text("t")])) == [{"type": "text", "text": "t"}]


@pytest.mark.parametrize(("declared", "name"), [("", "web_search"), ("search", "search")])
def test_a_search_has_the_name_of_the_declared_tool(declared: str, name: str) -> None:
    first = contents(written([WebSearch(1, "q", ())], web_search=declared))[0]
    assert (first["name"], len(first["id"])) == (name, len("srvtoolu_") + 24)


def test_a_search_waits_for_an_open_call() -> None:
    deltas: list[Delta] = [
        ToolStart(0, "x", "Read"),
        ToolArguments(0, '{"a":'),
        WebSearch(1, "q", ()),
        ToolArguments(0, "1}"),
    ]
    kinds = [block["type"] for block in contents(written(deltas))]
    assert kinds == ["tool_use", "server_tool_use", "web_search_tool_result"]


def test_what_was_looked_up_stands_before_the_answer_and_is_counted() -> None:
    looked_up = (
        WebSearch(-1, "cats", (Page("https://a.com", "A", None, "text"),)),
        WebSearch(-2, "dogs", None),
        WebFetch(-3, Page("https://b.com", "", None, "text"), "2026-05-01T00:00:00+00:00"),
        WebFetch(-4, Page("https://c.com"), error="url_not_accessible"),
    )
    one = writer(looked_up=looked_up)
    events = one.write([Reasoning("hm")])
    assert one.silent, "what the proxy found is no answer of the model"
    events += [*one.write([Text("Hello")]), *one.end()]
    check(events)
    message = fold(events, Report())
    kinds = [block["type"] for block in message["content"]]
    assert kinds == [
        *["server_tool_use", "web_search_tool_result"] * 2,
        *["server_tool_use", "web_fetch_tool_result"] * 2,
        "thinking",
        "text",
    ]
    assert [block.get("name") for block in message["content"][::2]][:4] == ["web_search"] * 2 + [
        "web_fetch"
    ] * 2
    assert message["content"][3]["content"]["error_code"] == "unavailable"
    assert message["content"][7]["content"] == {
        "type": "web_fetch_tool_result_error",
        "error_code": "url_not_accessible",
    }
    assert message["usage"]["server_tool_use"] == {"web_search_requests": 1, "web_fetch_requests": 1}


def test_usage_behind_a_stop_sequence_counts() -> None:
    blocks = writer(local_stop_sequences=("END",))
    events = blocks.write([Text("a END"), Text("b"), Usage(7, 5)]) + blocks.end()
    answer = fold(events, Report())
    assert [block["text"] for block in answer["content"]] == ["a "]
    assert (answer["usage"]["input_tokens"], answer["usage"]["output_tokens"]) == (7, 5)


def test_citations_belong_to_a_text() -> None:
    page = Page("https://a.example")
    (text,) = contents(written([Citation(page, "x"), Text("a"), Citation(page, "y"), Text("b")]))
    assert (text["text"], [at["cited_text"] for at in text["citations"]]) == ("ab", ["x", "y"])
    blocks = writer()
    assert contents([*blocks.write([Citation(page)]), *blocks.end()]) == []
    notices = [(notice.code, notice.path, notice.action) for notice in blocks._report.notices]
    assert notices == [
        ("citations_dropped", "upstream", "dropped"),
        ("usage_estimated", "upstream.usage", "emulated"),
    ]


def test_the_pieces_of_a_refusal_explain_it() -> None:
    events = written([Refusal("I "), Refusal("cannot")])
    assert contents(events) == [{"type": "text", "text": "I cannot"}]
    assert events[-2]["delta"]["stop_details"]["explanation"] == "I cannot"


def test_responses_that_came_to_nothing_cost_what_they_cost() -> None:
    blocks = writer()
    events = blocks.write([Reasoning("a"), Text("\n\n"), Usage(7, 2)])
    blocks.restart()
    events += blocks.write([Usage(7, 3)])
    blocks.restart()
    blocks.restart()
    events += blocks.write([Text("x"), Usage(7, 4)]) + blocks.end()
    assert [block.get("text") for block in contents(events)] == [None, "x"]
    assert events[-2]["usage"]["output_tokens"] == 2 + 3 + 4


@pytest.mark.parametrize(("size", "is_text"), [(1, False), (MOST_BLANK, False), (MOST_BLANK + 1, True)])
def test_white_space_before_a_call_is_text_only_where_it_is_long(size: int, is_text: bool) -> None:
    content = contents(written([Text(" " * size), ToolStart(0, "t", "Read"), ToolArguments(0, "{}")]))
    assert [block["type"] for block in content] == (["text"] if is_text else []) + ["tool_use"]
