"""Which repetitions of a tool call are noticed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_code_proxy.core.request.repeated_calls import Repeated, repeated_call


def call(command: str, name: str = "Bash") -> dict[str, Any]:
    return {"type": "tool_use", "id": "x", "name": name, "input": {"command": command}}


def turn(*calls: dict[str, Any], said: str = "") -> list[dict[str, Any]]:
    results = [{"type": "tool_result", "tool_use_id": "x", "content": "ok"} for _ in calls]
    texts = [{"type": "text", "text": said}] if said else []
    return [
        {"role": "assistant", "content": [{"type": "text", "text": "again"}, *calls]},
        {"role": "user", "content": [*results, *texts]},
    ]


LS = turn(call("ls"))
ASKED = [{"role": "user", "content": "go"}]


@pytest.mark.parametrize(
    ("messages", "found"),
    [
        (ASKED + LS * 3, Repeated("Bash", 3)),
        (ASKED + LS * 300, Repeated("Bash", 100)),
        (ASKED + turn(call("pwd")) + LS * 4, Repeated("Bash", 4)),
        (ASKED + LS + [{"role": "system", "content": "x"}] + LS * 2, Repeated("Bash", 3)),
        (ASKED + turn(call("a"), call("b")) * 3, Repeated("Bash", 3)),
        (ASKED + LS * 2, None),
        (ASKED + LS * 3 + turn(call("pwd")), None),
        (ASKED + LS * 2 + turn(call("ls", "Shell")) + LS, None),
        (ASKED + LS * 2 + turn(call("ls"), said="try something else") + LS * 2, None),
        (ASKED + LS * 5 + [{"role": "assistant", "content": "done"}, *ASKED], None),
        (ASKED + turn(call("a"), call("b")) + turn(call("b"), call("a")) + turn(call("a"), call("b")), None),
        ([], None),
        (None, None),
        ([None, 5, {"role": "assistant", "content": 5}], None),
    ],
)  # fmt: skip
def test_what_is_noticed(messages: Any, found: Repeated | None) -> None:
    assert repeated_call(messages) == found


@given(st.lists(st.sampled_from([LS, turn(call("pwd")), ASKED]), max_size=12))
def test_it_is_the_run_at_the_end(turns: list[list[dict[str, Any]]]) -> None:
    found = repeated_call([message for one in turns for message in one])
    run = 0
    while run < len(turns) and turns[-1 - run] == turns[-1] != ASKED:
        run += 1
    assert found == (Repeated("Bash", run) if run >= 3 else None)
