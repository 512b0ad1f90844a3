"""Chunks and whole answers to deltas: what the case files of whole conversions do not show."""

from __future__ import annotations

from typing import Any

import pytest

from claude_code_proxy.core.answer_context import ReplyContext
from claude_code_proxy.core.deltas import (
    Delta,
    Failure,
    Finish,
    Reasoning,
    ReasoningState,
    Text,
    ToolArguments,
    ToolStart,
    Usage,
)
from claude_code_proxy.core.openai.chat.decode import Decoder
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Report


def decoder(report: Report | None = None, **profile: Any) -> Decoder:
    reply = ReplyContext(model="m", message_id="msg_1", tool_names={"Read": "Read"})
    return Decoder(Profile(**profile), reply, report or Report())


def chunk(delta: Any = None, finish: Any = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


DETAIL = {"type": "reasoning.encrypted", "data": "E"}
THOUGHT = {"type": "reasoning.text", "text": "r"}

CHUNKS: list[tuple[str, Any, list[Delta]]] = [
    ("role only", chunk({"role": "assistant", "content": ""}), []),
    ("nothing", chunk({}), []),
    ("null delta", chunk(None), []),
    ("null content", chunk({"content": None, "refusal": None, "tool_calls": None}), []),
    ("no choices", {"choices": []}, []),
    ("null choices", {"choices": None}, []),
    ("odd choices", {"choices": ["x", 1]}, []),
    ("content of another kind", chunk({"content": 7}), []),
    ("content that is one part", chunk({"content": {"type": "text", "text": "t"}}), [Text("t")]),
    (
        "content as a list",
        chunk({"content": [{"type": "text", "text": "a"}, "b", 5]}),
        [Text("a"), Text("b")],
    ),
    ("an empty part", chunk({"content": [{"type": "text", "text": ""}]}), []),
    (
        "thinking parts",
        chunk(
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "r"}]}, {"text": "t"}]}
        ),
        [Reasoning("r"), Text("t")],
    ),
    (
        "a thinking part as text",
        chunk({"content": [{"type": "thinking", "thinking": "r"}]}),
        [Reasoning("r")],
    ),
    ("an empty thinking part", chunk({"content": [{"type": "thinking", "thinking": []}]}), []),
    ("reasoning_content", chunk({"reasoning_content": "r"}), [Reasoning("r")]),
    ("reasoning", chunk({"reasoning": "r"}), [Reasoning("r")]),
    ("thinking", chunk({"thinking": "r"}), [Reasoning("r")]),
    ("reasoning as an object", chunk({"reasoning": {"text": "r"}}), [Reasoning("r")]),
    (
        "details beside the same text",
        chunk({"reasoning": "r", "reasoning_details": [THOUGHT]}),
        [Reasoning("r"), ReasoningState("rd", [THOUGHT])],
    ),
    (
        "details alone",
        chunk({"reasoning_details": [THOUGHT]}),
        [Reasoning("r"), ReasoningState("rd", [THOUGHT])],
    ),
    (
        "a summary",
        chunk({"reasoning_details": [{"summary": "r"}, "odd"]}),
        [Reasoning("r"), ReasoningState("rd", [{"summary": "r"}, "odd"])],
    ),
    ("encrypted", chunk({"reasoning_details": [DETAIL]}), [ReasoningState("rd", [DETAIL])]),
    ("details of another kind", chunk({"reasoning_details": "r"}), []),
    ("message where a delta belongs", {"choices": [{"message": {"content": "t"}}]}, [Text("t")]),
    (
        "message beside a delta",
        {"choices": [{"message": {"content": "all"}, "delta": {"content": "t"}}]},
        [Text("t")],
    ),
    ("empty legacy call", chunk({"function_call": {}}), []),
    (
        "legacy call",
        chunk({"function_call": {"name": "Read", "arguments": "{}"}}),
        [ToolStart(0, "", "Read"), ToolArguments(0, "{}")],
    ),
    ("tool_calls of another kind", chunk({"tool_calls": {"index": 0}}), []),
    ("refusal of another kind", chunk({"refusal": {}}), []),
    ("finish", chunk({}, "stop"), [Finish("end_turn")]),
    ("finish in capitals", chunk({}, "MAX_TOKENS"), [Finish("max_tokens")]),
    ("no finish", chunk({}, ""), []),
    ("unknown finish", chunk({}, "because"), [Finish("end_turn", unknown="because")]),
    (
        "stop sequence named by the server",
        {"choices": [{"delta": {}, "finish_reason": "stop", "matched_stop": "END"}]},
        [Finish("stop_sequence", "END")],
    ),
    (
        "stop token named by its number",
        {"choices": [{"delta": {}, "finish_reason": "stop", "stop_reason": 151645}]},
        [Finish("end_turn")],
    ),
    ("usage", {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}, [Usage(1, 2)]),
    ("usage without choices", {"usage": {"prompt_tokens": 1, "completion_tokens": 2}}, [Usage(1, 2)]),
    ("empty usage", {"choices": [], "usage": {}}, []),
    ("usage of nothing", chunk({}, usage={"prompt_tokens": 0, "completion_tokens": 0}), []),
    (
        "usage at Groq",
        chunk({}, x_groq={"usage": {"prompt_tokens": 1, "completion_tokens": 2}}),
        [Usage(1, 2)],
    ),
    ("usage at Groq, none", chunk({}, x_groq={"id": "x"}), []),
    (
        "usage in the choice",
        {"choices": [{"delta": {}, "usage": {"prompt_tokens": 1, "completion_tokens": 2}}]},
        [Usage(1, 2)],
    ),
    (
        "usage in the choice, and none at the top",
        {
            "choices": [{"delta": {}, "usage": {"prompt_tokens": 1, "completion_tokens": 2}}],
            "usage": {"prompt_tokens": 0},
            "x_groq": {"usage": "none"},
        },
        [Usage(1, 2)],
    ),
    ("another choice", {"choices": [{"index": 1, "delta": {"content": "x"}}]}, []),
    ("error: null", {**chunk({"content": "t"}), "error": None}, [Text("t")]),
    ("no object", "text", []),
    ("a list", [], []),
    ("an empty object", {}, []),
]


@pytest.mark.parametrize(("what", "payload", "expected"), CHUNKS, ids=[case[0] for case in CHUNKS])
def test_chunk(what: str, payload: Any, expected: list[Delta]) -> None:
    assert decoder().chunk(payload) == expected


FAILURES: list[tuple[str, Any, int, list[Delta]]] = [
    ("an error object", {"error": {"message": "x", "code": 500}}, 500, []),
    ("an error list", [{"error": {"message": "x", "code": 400}}], 400, []),
    ("text before the error", {**chunk({"content": "t"}), "error": {"message": "x"}}, 500, [Text("t")]),
    ("an odd choice before the error", {"choices": ["x", {}], "error": {"message": "x"}}, 500, []),
    ("finish_reason error", chunk({}, "error"), 500, []),
    ("finish_reason error with words", {"choices": [{"finish_reason": "error", "error": {"message": "x", "code": 429}}]}, 429, []),
    ("out of resources", chunk({}, "insufficient_system_resource"), 529, []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "payload", "status", "before"), FAILURES, ids=[case[0] for case in FAILURES]
)
def test_failure(what: str, payload: Any, status: int, before: list[Delta]) -> None:
    *first, last = decoder().chunk(payload)
    assert first == before
    assert isinstance(last, Failure)
    assert last.error.status == status


def test_what_is_ignored_is_reported_once() -> None:
    report = Report()
    chat = decoder(report)
    for _ in range(2):
        chat.chunk({"choices": [{"index": 1}]})
        chat.chunk("text")
        chat.chunk(chunk({"content": [{"type": "audio"}]}))
        chat.chunk(chunk({}, "because"))
    assert report.codes == ["extra_choice_dropped", "unknown_chunk", "unknown_part", "unknown_finish_reason"]


def test_choices_are_merged_where_the_provider_spreads_one_answer() -> None:
    chat = decoder(merge_choices=True)
    payload = {"choices": [{"index": 0, "delta": {"content": "a"}}, {"index": 1, "delta": {"content": "b"}}]}
    assert chat.chunk(payload) == [Text("a"), Text("b")]


def test_a_cut_is_not_taken_back_by_a_later_stop() -> None:
    chat = decoder()
    assert chat.chunk(chunk({}, "length")) == [Finish("max_tokens")]
    assert chat.chunk(chunk({}, "stop")) == []
    assert chat.finished


def test_messages_so_far_are_read_as_what_they_add() -> None:
    chat = decoder()
    sent = [{"choices": [{"message": {"content": text}}]} for text in ("He", "Hello", "Hello you")]
    assert [delta for payload in sent for delta in chat.chunk(payload)] == [
        Text("He"),
        Text("llo"),
        Text(" you"),
    ]


def test_reasoning_in_its_own_field_ends_the_search_for_tags() -> None:
    chat = decoder()
    assert chat.chunk(chunk({"content": "<thi"})) == []
    assert chat.chunk(chunk({"reasoning": "r"})) == [Text("<thi"), Reasoning("r")]
    assert chat.chunk(chunk({"content": "<think>"})) == [Text("<think>")]


def test_tags_can_be_left_alone() -> None:
    assert decoder(think_tags="off").chunk(chunk({"content": "<think>"})) == [Text("<think>")]


def test_calls_that_arrive_as_text_are_reported_once() -> None:
    report = Report()
    chat = decoder(report, text_tool_calls=("hermes",))
    text = '<tool_call>{"name": "Read", "arguments": {}}</tool_call>' * 2
    found = chat.chunk(chunk({"content": text})) + chat.end()
    assert sum(isinstance(delta, ToolStart) for delta in found) == 2
    assert report.codes == ["text_tool_call"]


def test_the_template_opened_the_tag() -> None:
    chat = decoder(implicit_think=True)
    assert chat.chunk(chunk({"content": "r</think>t"})) == [Reasoning("r"), Text("t")]


def answer(message: Any, finish: Any = "stop", **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": message, "finish_reason": finish}], **more}


WHOLE: list[tuple[str, Any, list[Delta]]] = [
    ("text", answer({"content": "t"}), [Text("t"), Finish("end_turn")]),
    ("empty message", answer(None), [Finish("end_turn")]),
    ("no finish reason", answer({"content": "t"}, None), [Text("t"), Finish("end_turn")]),
    ("a tag", answer({"content": "<think>r</think>t"}), [Reasoning("r"), Text("t"), Finish("end_turn")]),
    ("an open tag", answer({"content": "<think>t"}), [Text("<think>t"), Finish("end_turn")]),
    (
        "an open tag at the limit",
        answer({"content": "<think>r"}, "length"),
        [Reasoning("r"), Finish("max_tokens")],
    ),
    (
        "usage without choices",
        {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}},
        [Usage(1, 2), Finish("end_turn")],
    ),
    (
        "a message beside an empty delta",
        {"choices": [{"message": {"content": "t"}, "delta": {"content": ""}, "finish_reason": "stop"}]},
        [Text("t"), Finish("end_turn")],
    ),
]


@pytest.mark.parametrize(("what", "body", "expected"), WHOLE, ids=[case[0] for case in WHOLE])
def test_whole(what: str, body: Any, expected: list[Delta]) -> None:
    assert [delta for delta in decoder().answer(body) if delta != Reasoning("")] == expected


@pytest.mark.parametrize(
    "body", [{}, {"choices": []}, {"choices": None}, [], "x", None, {"error": {"message": "x"}}]
)
def test_what_is_no_answer_fails(body: Any) -> None:
    assert isinstance(decoder().answer(body)[-1], Failure)


def test_a_call_without_a_name_fails() -> None:
    body = answer({"tool_calls": [{"id": "x", "function": {"arguments": "{}"}}]})
    assert isinstance(decoder().answer(body)[-1], Failure)
