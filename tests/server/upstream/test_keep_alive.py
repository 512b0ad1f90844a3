"""What is due when: no sockets, no loop, no time that passes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_code_proxy.server.upstream.keep_alive import Due, KeepAlive
from claude_code_proxy.server.upstream.limits import Limits

LIMITS = Limits(
    hold=10, first_byte=600, idle=300, ping_interval=10, progress_interval=60, settle=2, linger=0.25,
    client_stall=500, retries=2, response_bytes=1, stream_bytes=1, answer=7200,
)  # fmt: skip
QUIET: dict[str, Any] = {"started": True, "ending": False, "speaking": False, "sending_since": None}

CASES: list[tuple[str, float, dict[str, Any], dict[str, Any], Due]] = [
    ("nothing is waited for", 50, {}, {}, Due("wait")),
    ("a client that reads slowly", 50, {}, {"sending_since": 1}, Due("wait")),
    ("a client that does not read", 501, {}, {"sending_since": 1}, Due("client_stalled")),
    ("before the hold limit", 4, {"waiting_since": 0}, {"started": False}, Due("wait", 6)),
    ("the hold limit", 10, {"waiting_since": 0}, {"started": False}, Due("begin", 10)),
    ("held, and a whole answer", 10, {"waiting_since": 0, "streams": False}, {"started": False}, Due("wait", 590)),
    ("a ping", 12, {"waiting_since": 2, "quiet_since": 2}, {}, Due("ping", 10)),
    ("no ping yet", 11, {"waiting_since": 2, "quiet_since": 2}, {}, Due("wait", 1)),
    ("progress before a ping", 60, {"waiting_since": 0, "quiet_since": 0}, {}, Due("progress", 10)),
    ("a ping that is being written", 30, {"waiting_since": 0}, {"speaking": True}, Due("wait", 570)),
    ("no first byte", 600, {"waiting_since": 599}, {}, Due("timeout_first_byte")),
    ("the first byte is measured from the start", 599, {"waiting_since": 598, "quiet_since": 598, "idle_since": 598}, {}, Due("wait", 1)),
    ("a silent upstream", 310, {"waiting_since": 10, "answering": True}, {}, Due("timeout_idle")),
    ("silence is measured from the last read", 309, {"waiting_since": 10, "answering": True, "quiet_since": 308, "idle_since": 308}, {}, Due("wait", 1)),
    ("the upstream is done", 3, {"waiting_since": 2, "answering": True}, {"ending": True}, Due("wait", 1)),
    ("and does not close", 4, {"waiting_since": 2, "answering": True}, {"ending": True}, Due("settle")),
]  # fmt: skip


@pytest.mark.parametrize(("what", "now", "times", "situation", "due"), CASES, ids=[case[0] for case in CASES])
def test_due(what: str, now: float, times: dict[str, Any], situation: dict[str, Any], due: Due) -> None:
    keep_alive = KeepAlive(LIMITS, 0.0, streams=times.pop("streams", True))
    for name, value in times.items():
        setattr(keep_alive, name, float(value))
    assert keep_alive.due(now, **{**QUIET, **situation}) == due


@given(
    st.lists(st.floats(0.01, 30), min_size=1, max_size=200),
    st.floats(0, 20),
    st.floats(1, 20),
    st.floats(1, 90),
)
def test_no_client_waits_longer_than_the_limits_say(
    reads: list[float], hold: float, ping: float, progress: float
) -> None:
    """A simulated upstream that is silent for `reads` seconds each time; the timer comes when it was told to."""
    limits = Limits(
        hold=hold, first_byte=1e6, idle=1e6, ping_interval=ping, progress_interval=progress, settle=2, linger=1,
        client_stall=1e6, retries=0, response_bytes=1, stream_bytes=1, answer=1e9,
    )  # fmt: skip
    keep_alive = KeepAlive(limits, 0.0, streams=True)
    now, started, heard = 0.0, False, 0.0
    for silence in reads:
        keep_alive.waiting_since = now
        until = now + silence
        while True:
            due = keep_alive.due(now, **{**QUIET, "started": started})
            assert due.seconds > 0
            if due.action != "wait":
                assert now - heard <= max(hold, ping, progress) + 1e-6
                started, heard, keep_alive.quiet_since = True, now, now
                if due.action == "progress":
                    keep_alive.idle_since = now
            if now + due.seconds >= until:
                break
            now += due.seconds
        now = until
        keep_alive.answering, started, heard = True, True, now
        keep_alive.quiet_since = keep_alive.idle_since = now
