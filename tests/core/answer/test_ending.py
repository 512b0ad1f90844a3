"""Each row: what an answer came to, and the event that ends it."""

from __future__ import annotations

from typing import Any

import pytest

from claude_code_proxy.core.answer.ending import ending
from claude_code_proxy.core.answer.output_text import OutputText
from claude_code_proxy.core.answer_context import ReplyContext
from claude_code_proxy.core.deltas import Finish, Page, Usage, WebFetch, WebSearch
from claude_code_proxy.core.report import Report

PAGE = Page("https://a.example", "A")
SEARCH, FAILED_SEARCH = WebSearch(0, "q", (PAGE,)), WebSearch(1, "q", None)
FETCH, FAILED_FETCH = WebFetch(2, PAGE), WebFetch(3, PAGE, error="unavailable")
CORRECTED = ("finish_reason_corrected", "upstream.finish_reason", "changed")
ESTIMATED = ("usage_estimated", "upstream.usage", "emulated")
NO_COUNTS = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}


def end(
    finish: Finish | None = None,
    usage: Usage | None = Usage(7, 5),  # noqa: B008 - it cannot be changed
    *,
    max_tokens: int = 0,
    **what: Any,
) -> tuple[dict[str, Any], list[tuple[str, str, str]]]:
    """The event, and the notices: code, path and action."""
    reply = ReplyContext(
        model="m", message_id="msg_1", input_tokens=11, count=lambda _: 2.6, max_tokens=max_tokens
    )
    facts = {"tools": False, "cut_tool": False, "refusal": None, "said": OutputText(), "looked_up": ()} | what
    report = Report()
    event = ending(finish, usage, reply, report, **facts)
    assert event["type"] == "message_delta"
    return event, [(notice.code, notice.path, notice.action) for notice in report.notices]


@pytest.mark.parametrize(
    ("finish", "tools", "reason"),
    [
        (None, False, "end_turn"),
        (None, True, "tool_use"),
        (Finish("end_turn"), True, "tool_use"),
        (Finish("tool_use"), True, "tool_use"),
        (Finish("tool_use"), False, "end_turn"),
        (Finish("max_tokens"), True, "max_tokens"),
        (Finish("max_tokens"), False, "max_tokens"),
    ],
)
def test_the_reason_agrees_with_the_calls(finish: Finish | None, tools: bool, reason: str) -> None:
    event, notices = end(finish, tools=tools)
    assert (event["delta"], notices) == ({"stop_reason": reason, "stop_sequence": None}, [])


@pytest.mark.parametrize(
    ("said", "output_tokens", "max_tokens", "cut", "reason"),
    [
        ("tool_use", 5, 5, True, "max_tokens"),
        ("end_turn", 6, 5, True, "max_tokens"),
        ("end_turn", 1, 1, True, "max_tokens"),
        ("tool_use", 4, 5, True, "tool_use"),
        ("tool_use", 5, 5, False, "tool_use"),
        ("end_turn", 0, 0, True, "tool_use"),
        ("end_turn", 5, 0, True, "tool_use"),
        ("stop_sequence", 5, 5, True, "stop_sequence"),
    ],
)
def test_a_call_that_the_output_limit_cut(
    said: Any, output_tokens: int, max_tokens: int, cut: bool, reason: str
) -> None:
    event, notices = end(
        Finish(said), Usage(7, output_tokens), max_tokens=max_tokens, tools=True, cut_tool=cut
    )
    assert event["delta"]["stop_reason"] == reason
    assert notices == ([CORRECTED] if reason == "max_tokens" else [])


def test_without_counts_no_limit_was_reached() -> None:
    event, notices = end(Finish("tool_use"), None, max_tokens=1, tools=True, cut_tool=True)
    assert (event["delta"]["stop_reason"], notices) == ("tool_use", [ESTIMATED])


@pytest.mark.parametrize(
    ("finish", "sequence"),
    [(Finish("stop_sequence", "END"), "END"), (Finish("end_turn", "END"), None), (Finish("tool_use"), None)],
)
def test_the_sequence_stands_beside_its_reason_only(finish: Finish, sequence: str | None) -> None:
    assert end(finish)[0]["delta"]["stop_sequence"] == sequence


def test_a_refusal() -> None:
    expected = {"type": "refusal", "category": None, "explanation": "no"}
    assert end(Finish("end_turn"), refusal="no", tools=True)[0]["delta"] == {
        "stop_reason": "refusal",
        "stop_sequence": None,
        "stop_details": expected,
    }
    assert end(Finish("refusal"))[0]["delta"]["stop_details"] == {**expected, "explanation": None}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (Usage(7, 5), {"input_tokens": 7, "output_tokens": 5, **NO_COUNTS}),
        (
            Usage(1, 2, 3, 4, 0),
            {
                "input_tokens": 1,
                "output_tokens": 2,
                "cache_read_input_tokens": 3,
                "cache_creation_input_tokens": 4,
                "output_tokens_details": {"thinking_tokens": 0},
            },
        ),
    ],
)
def test_the_upstream_s_counts(usage: Usage, expected: dict[str, Any]) -> None:
    event, notices = end(usage=usage)
    assert (event["usage"], notices) == (expected, [])


def test_an_estimate_where_the_upstream_counted_nothing() -> None:
    event, notices = end(usage=None)
    assert event["usage"] == {"input_tokens": 11, "output_tokens": 3, **NO_COUNTS}
    assert notices == [ESTIMATED]


@pytest.mark.parametrize(
    ("looked_up", "searches", "fetches"),
    [
        ([SEARCH], 1, 0),
        ([FETCH], 0, 1),
        ([FAILED_SEARCH, FAILED_FETCH], 0, 0),
        ([SEARCH, SEARCH, FAILED_SEARCH, FETCH, FETCH, FETCH, FAILED_FETCH], 2, 3),
    ],
)
def test_what_was_looked_up_is_counted(looked_up: Any, searches: int, fetches: int) -> None:
    assert end(looked_up=looked_up)[0]["usage"]["server_tool_use"] == {
        "web_search_requests": searches,
        "web_fetch_requests": fetches,
    }
    assert "server_tool_use" not in end()[0]["usage"]
