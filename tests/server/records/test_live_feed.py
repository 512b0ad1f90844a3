"""What viewers are told of requests: those that ended, those under way, and no more than there is room for."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.core.deltas import Usage
from claude_code_proxy.core.report import Report
from claude_code_proxy.server.caller.call import Call
from claude_code_proxy.server.records import live_feed
from claude_code_proxy.server.records.exchange_record import record_of, shown_of
from claude_code_proxy.server.records.live_feed import LiveFeed, Viewer, line_of

if TYPE_CHECKING:
    from collections.abc import MutableMapping


KEY = "planted-key-4711"


async def _no_message() -> MutableMapping[str, Any]:
    return {"type": "http.disconnect"}


async def _drop(_: MutableMapping[str, Any]) -> None:
    await asyncio.sleep(0)


def made_call(model: str = "m", session: str = "s", **headers: str) -> Call:
    sent = {"authorization": f"Bearer {KEY}", "x-claude-code-session-id": session, **headers}
    call = Call(
        {
            "method": "POST",
            "path": "/v1/messages",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        },
        _no_message,
        _drop,
    )
    call.model = model
    return call


def finish(feed: LiveFeed, call: Call) -> None:
    feed.begin(call)
    feed.end(call, record_of(call), shown_of(call).loud)


async def test_a_request_from_its_beginning_to_its_end() -> None:
    feed = LiveFeed()
    viewer = Viewer(feed)
    call = made_call("")
    feed.begin(call)
    assert viewer.news() == {}, "nothing is known of it yet"
    call.model = "kimi"
    (row,) = viewer.news()["rows"]
    assert (row["id"], row["state"], row["asked"]) == (call.request_id, "running", "kimi")
    assert (row["session_id"], row["operation"]) == ("s", "messages")
    assert viewer.news() == {}
    await call.start(200, [])
    await call.write(b"12345")
    ((request_id, sent, first, status, attempts),) = viewer.news()["moves"]
    assert (request_id, sent, status, attempts) == (call.request_id, 5, 200, 0)
    assert first >= 0
    assert viewer.news() == {}
    feed.end(call, record_of(call), shown_of(call).loud)
    (row,) = viewer.news()["rows"]
    assert (row["id"], row["state"], row["sent_bytes"], row["status"]) == (call.request_id, "ok", 5, 200)
    assert viewer.news() == {}
    assert json.loads(json.dumps(row))["notices"] == []


async def test_what_is_no_request_to_a_model_is_not_shown() -> None:
    feed = LiveFeed()
    call = made_call("")
    feed.begin(call)
    feed.end(call, None)
    assert Viewer(feed).news() == {}
    assert (feed.running, feed.count) == ({}, 0)


async def test_a_viewer_who_comes_late_is_told_all_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_feed, "_AT_ONCE", 3)
    feed = LiveFeed()
    for number in range(8):
        finish(feed, made_call(f"m{number}"))
    viewer = Viewer(feed)
    told = []
    while viewer.more:
        told.append([row["asked"] for row in viewer.news()["rows"]])
    assert told == [["m0", "m1", "m2"], ["m3", "m4", "m5"], ["m6", "m7"]]
    finish(feed, made_call("m8"))
    assert [row["asked"] for row in viewer.news()["rows"]] == ["m8"]


async def test_it_forgets_the_oldest() -> None:
    feed = LiveFeed()
    feed.ended = deque(maxlen=4)
    slow = Viewer(feed)
    for number in range(10):
        finish(feed, made_call(f"m{number}"))
    for viewer in (slow, Viewer(feed)):
        assert [row["asked"] for row in viewer.news()["rows"]] == ["m6", "m7", "m8", "m9"]
        assert not viewer.more
        assert viewer.news() == {}


async def test_notices_without_the_key_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_feed, "_MAX_NOTED", 2)
    feed = LiveFeed()
    calls = []
    for _ in range(3):
        call = made_call()
        call.report = Report()
        call.report.dropped("a", f"tools[0].{KEY}", "why " + "x" * 1000)
        call.report.changed("quiet", "metadata", "nobody minds", quiet=True)
        finish(feed, call)
        calls.append(call)
    assert feed.notices(calls[0].request_id) == []
    (notice,) = feed.notices(calls[2].request_id)
    assert (notice["code"], notice["action"]) == ("a", "dropped")
    assert KEY not in str(notice)
    assert len(notice["reason"]) == 300


async def test_requests_of_a_session_newest_first() -> None:
    feed = LiveFeed()
    for model, session in (("a", "1"), ("b", "2"), ("c", "1")):
        finish(feed, made_call(model, session))
    assert [record.asked for record in feed.of_session("1")] == ["c", "a"]


async def test_subagents_and_their_parents() -> None:
    feed = LiveFeed()
    headers = {
        "x-claude-code-agent-id": "a2",
        "x-claude-code-parent-agent-id": "a1",
        "x-claude-code-agent-type": f"Explore {KEY}",
    }
    finish(feed, made_call(**headers))
    (row,) = Viewer(feed).news()["rows"]
    assert (row["agent_id"], row["parent_agent_id"]) == ("a2", "a1")
    assert row["agent_type"].startswith("Explore ")
    assert KEY not in str(row)


LINES = json.loads((Path(__file__).parent / "session_lines.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", LINES, ids=lambda case: case["name"])
async def test_a_session_in_a_line(case: dict[str, Any]) -> None:
    feed = LiveFeed()
    plain = replace(record_of(made_call()), provider="kimi", model="k3")
    for facts in case["records"]:
        usage = Usage(*facts["usage"]) if "usage" in facts else None
        notices = tuple(facts.get("notices", ()))
        feed.ended.append(replace(plain, **{**facts, "usage": usage, "notices": notices}))
    assert line_of(feed, "s") == case["line"]
