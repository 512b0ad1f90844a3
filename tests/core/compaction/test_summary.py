"""The request for a summary, what is read from its answer, and the answers that it becomes."""

from __future__ import annotations

from typing import Any

import pytest

from claude_code_proxy.core.answer.message import fold
from claude_code_proxy.core.answer.writer import BlockWriter
from claude_code_proxy.core.answer_context import ReplyContext
from claude_code_proxy.core.compaction.summary import (
    INSTRUCTIONS,
    Summary,
    answer,
    compacted,
    continued,
    explained,
    read_summary,
    summary_request,
)
from claude_code_proxy.core.deltas import Compaction, Finish, Text, Usage, WebSearch
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Report
from tests.core.cases import CASES, load

USAGE = {"type": "compaction", "input_tokens": 5, "output_tokens": 2}
COUNTS = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 3}
HEAD = ["message_start", "ping"]
BLOCK = ["content_block_start", "content_block_delta", "content_block_stop"]
TAIL = ["message_delta", "message_stop"]


def cases(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "case", load(CASES / "compaction" / f"{name}.json"), ids=lambda case: case["name"]
    )


@cases("summary_requests")
def test_the_request(case: dict[str, Any]) -> None:
    assert summary_request(case["request"], "MINE", case.get("least", 0)) == case["expected"]


def test_our_own_instructions() -> None:
    asked = summary_request({"messages": []}, "")
    assert asked["messages"][0]["content"][0]["text"] == INSTRUCTIONS
    assert "<summary>" in INSTRUCTIONS


@cases("summaries")
def test_what_is_read(case: dict[str, Any]) -> None:
    usage = {"input_tokens": 5, "output_tokens": 2, "cache_read_input_tokens": 3, "service_tier": "x"}
    message = {"content": case["content"], "stop_reason": case["stop_reason"], "usage": usage}
    found = read_summary(message)
    assert found.text == case["text"]
    assert case.get("why", "") in found.why
    assert bool(found.why) is (found.text is None)
    assert found.stop_reason == case.get("reason", case["stop_reason"])
    assert found.usage == ({**USAGE, **COUNTS},)


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("at_once", [False, True])
def test_the_summary_as_an_answer(begun: bool, at_once: bool) -> None:
    reply = ReplyContext(model="m", message_id="msg_1", begun=begun, applied_edits=[])
    events = answer(reply, Compaction("s", at_once=at_once), Summary("s", usage=(USAGE,)))
    block = [BLOCK[0], BLOCK[2]] if at_once else BLOCK
    assert [event["type"] for event in events] == [*([] if begun else HEAD), *block, *TAIL]
    if begun:
        return
    message = fold(events, Report())
    assert message["content"] == [{"type": "compaction", "content": "s"}]
    assert message["stop_reason"] == "compaction"
    assert message["usage"]["iterations"] == [USAGE]
    assert (message["usage"]["input_tokens"], message["usage"]["output_tokens"]) == (0, 0)
    assert message["context_management"] == {"applied_edits": []}


def test_no_summary_as_an_answer() -> None:
    details = {"type": "refusal", "category": None}
    failed = Summary(None, "why", "refusal", details)
    message = fold(answer(ReplyContext(model="m", message_id="msg_1"), None, failed), Report())
    assert (message["content"], message["stop_reason"], message["stop_details"]) == ([], "refusal", details)
    assert message["usage"]["iterations"] == []


def test_a_request_goes_on_after_its_summary() -> None:
    removal = {"type": "tool_removal", "tool": {"type": "tool_reference", "name": "a"}}
    request = {
        "model": "m",
        "tool_choice": {"type": "any"},
        "context_management": {"edits": [{"type": "compact_20260112"}]},
        "messages": [{"role": "user", "content": "x"}, {"role": "system", "content": [removal]}],
    }
    block = {"type": "compaction", "content": "s", "tool_changes": [removal]}
    assert continued(request, compacted(request, "s")) == {
        "model": "m",
        "tool_choice": {"type": "any"},
        "context_management": {"edits": []},
        "messages": [{"role": "assistant", "content": [block]}],
    }


def test_what_explain_shows() -> None:
    messages = [{"role": "user", "content": "a"}]
    plain: dict[str, Any] = {"messages": messages}
    edit = {"context_management": {"edits": [{"type": "compact_20260112"}]}}
    assert explained(plain) is plain
    assert explained(plain | edit) == {"messages": messages, "context_management": {"edits": []}}
    demanded = explained(plain | {"compaction": {"type": "summarize", "instructions": "MINE"}})
    assert demanded == summary_request(plain, "MINE")


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("content", ["s", None])
def test_a_summary_before_the_answer(content: str | None, begun: bool) -> None:
    reply = ReplyContext(
        model="m",
        message_id="msg_1",
        looked_up=(Compaction(content), WebSearch(-1, "q", ())),
        begun=begun,
        iterations=(USAGE,),
    )
    writer = BlockWriter(Profile(), reply, Report())
    assert writer.started is begun
    before = writer.begin()
    assert writer.silent
    events = before + writer.write([Text("t"), Usage(7, 1, 2), Finish("end_turn")]) + writer.end()
    summary = BLOCK if content else [BLOCK[0], BLOCK[2]]
    search = [*BLOCK, BLOCK[0], BLOCK[2]]
    assert [event["type"] for event in before] == [*([] if begun else HEAD), *summary, *search]
    starts = [event for event in events if event["type"] == "content_block_start"]
    assert [start["index"] for start in starts] == [0, 1, 2, 3]
    assert starts[0]["content_block"] == {"type": "compaction", "content": None}
    usage = events[-2]["usage"]
    own = {"type": "message", "input_tokens": 7, "output_tokens": 1}
    assert usage["iterations"] == [
        USAGE,
        own | {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 2},
    ]
    assert usage["server_tool_use"]["web_search_requests"] == 1
