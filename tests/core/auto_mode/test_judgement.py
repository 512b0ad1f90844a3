"""The request to the judge, what its answer means, and what the client gets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_code_proxy.core.auto_mode import judgement
from claude_code_proxy.core.auto_mode.policy import POLICY
from claude_code_proxy.core.auto_mode.tool_uses import ToolUse
from claude_code_proxy.core.convert_request import convert_request
from claude_code_proxy.core.providers.profile import Profile

CONTEXT: dict[str, Any] = {
    "v": 1,
    "platform": "linux",
    "live_cwd": "/w",
    "home_dir": "/h",
    "trusted_directories": {"primary": {"path": "/w"}},
    "rules": ["r"],
    "git_state": {"status": "changes with each request"},
    "auto_mode": {
        "allow": ["make is fine"],
        "soft_deny": ["no deploys", {"text": "x"}],
        "hard_deny": ["no rm"],
    },
}
CALLS = [ToolUse("a", "Bash", {"command": "make"}), ToolUse("b", "Bash", {"command": "rm -rf /"})]
ALLOWED = {"type": "evaluated", "outcome": "not_flagged"}


def flagged(why: str) -> dict[str, Any]:
    return {"type": "evaluated", "outcome": "flagged", "explanation": why}


def citing(path: str) -> dict[str, Any]:
    return {"cited_rule": {"type": "classifier_context", "path": path}}


def asked(messages: list[Any], calls: Any = CALLS, author: str = "user") -> dict[str, Any]:
    request = judgement.judge_request({"messages": messages}, CONTEXT, calls, "small", author=author)
    assert request is not None
    return request


@pytest.mark.parametrize(
    ("safeguards", "context"),
    [
        ([{"type": "dangerous_tool_use", "classifier_context": {"v": 1}}], {"v": 1}),
        ([{"type": "other"}, {"type": "dangerous_tool_use"}], {}),
        ([{"type": "other"}, 5], None),
        ("x", None),
        (None, None),
    ],
)
def test_who_asks(safeguards: Any, context: Any) -> None:
    assert judgement.context_of({"safeguards": safeguards}) == context


def test_the_request() -> None:
    harmless = {"type": "tool_use", "id": "1", "name": "Edit", "input": {"file_path": "/w/x"}}
    before = [{"role": "user", "content": "build it"}, {"role": "assistant", "content": [harmless]}]
    request = asked(before, author="parent")
    policy, facts = [block["text"] for block in request["system"]]
    assert policy == POLICY
    assert facts.splitlines() == [
        "Where the agent works, and the person's rules:",
        'platform: "linux"',
        'live_cwd: "/w"',
        'home_dir: "/h"',
        'trusted_directories: {"primary":{"path":"/w"}}',
        'rules: ["r"]',
        'allow.0: "make is fine"',
        'soft_deny.0: "no deploys"',
        'soft_deny.1: {"text":"x"}',
        'hard_deny.0: "no rm"',
    ]
    assert request["messages"][0]["content"] == (
        "The conversation so far:\n"
        '{"parent":"build it"}\n'
        "\n"
        "To be judged:\n"
        '1. {"call":"Bash","input":{"command":"make"}}\n'
        '2. {"call":"Bash","input":{"command":"rm -rf /"}}'
    )
    assert (request["model"], request["thinking"]) == ("small", {"type": "disabled"})
    converted = convert_request(request, profile=Profile(name="x"), model="small", message_id="m")
    assert "To be judged" in str(converted.body)


def test_the_next_request_of_a_conversation_begins_with_the_same_bytes() -> None:
    """All of the policy, the rules and what was judged before: so the provider's cache hits."""
    turn: list[Any] = [
        {"role": "user", "content": "build it"},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "a", "name": "Bash", "input": {"c": "make"}}],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "ok"}]},
    ]
    first, second = asked(turn[:1]), asked(turn)
    assert first["system"] == second["system"]
    before = first["messages"][0]["content"].partition("\n\nTo be judged")[0]
    assert second["messages"][0]["content"].startswith(before + "\n")


def test_what_is_too_long() -> None:
    def request(messages: list[Any], calls: Any = CALLS) -> Any:
        return judgement.judge_request({"messages": messages}, {}, calls, "small", author="user")

    long = "x" * judgement.MAX_JUDGED
    assert request([], [ToolUse("a", "Write", {"content": long})]) is None
    texts = [{"role": "user", "content": "y" * 19_000}] * 30
    assert request(texts) is None
    past = {"type": "tool_use", "id": "a", "name": "Bash", "input": {"command": "z" * 900}}
    calls = [{"role": "user", "content": "keep me"}, {"role": "assistant", "content": [past] * 600}]
    text = request(calls)["messages"][0]["content"]
    assert len(text) < judgement.MAX_TRANSCRIPT + 1000
    assert "keep me" in text


@pytest.mark.parametrize(
    ("text", "results"),
    [
        ("ALLOW 1\nBLOCK 2: deletes all", [ALLOWED, flagged("deletes all")]),
        ("Here:\n- **ALLOW 1**\n> BLOCK 2\n", [ALLOWED, flagged("judged as dangerous")]),
        ("BLOCK 2: x\r\nALLOW 1: fine", [ALLOWED, flagged("x")]),
        ("ALLOW #1 allow.0\nBLOCK #2 soft_deny.1: x", [ALLOWED | citing("auto_mode.allow.0"), flagged("x") | citing("auto_mode.soft_deny.1")]),
        ("ALLOW 1 allow.9\nBLOCK 2 hard_deny.0: x", [ALLOWED, flagged("x")]),
        ("ALLOW 1 soft_deny.0\nBLOCK 2 allow.0: x", [ALLOWED, flagged("x")]),
        ("ALLOW 1", None),
        ("ALLOW 1\nALLOW 2\nBLOCK 2: x", None),
        ("ALLOW 1\nALLOW 3", None),
        ("ALLOW 0\nALLOW 1", None),
        ("ALLOW\nALLOW 1", None),
        ("ALLOW 1 and ALLOW 2", None),
        ("allow 1\nallow 2", None),
        ("", None),
        ("I cannot judge that.", None),
    ],
)  # fmt: skip
def test_verdicts(text: str, results: Any) -> None:
    expected = None if results is None else dict(zip("ab", results, strict=True))
    assert judgement.read_verdicts(text, CALLS, CONTEXT) == expected


@pytest.mark.parametrize(
    ("text", "result"), [("ALLOW", ALLOWED), ("BLOCK: x", flagged("x")), ("BLOCK\nALLOW", None)]
)
def test_the_only_call_needs_no_number(text: str, result: Any) -> None:
    found = judgement.read_verdicts(text, CALLS[:1], {"auto_mode": 5})
    assert found == (None if result is None else {"a": result})


@given(st.text(alphabet="ALOWBCK12 :.\nsoftdeny_#", max_size=80), st.integers(1, 3))
def test_nothing_is_allowed_without_a_word_for_it(text: str, count: int) -> None:
    calls = [ToolUse(str(number), "Bash", {}) for number in range(count)]
    found = judgement.read_verdicts(text, calls, CONTEXT)
    allowed = 0 if found is None else sum(one["outcome"] == "not_flagged" for one in found.values())
    assert allowed <= text.count("ALLOW")
    assert found is None or list(found) == [call.id for call in calls]


def test_what_the_client_gets() -> None:
    calls = [*CALLS, ToolUse("c", "Read", {}), ToolUse("a", "Bash", {})]
    (result,) = judgement.safeguard_results(calls, {"a": ALLOWED, "b": flagged("x")})
    assert (result["type"], result["status"]["type"]) == ("dangerous_tool_use", "available")
    uses = result["status"]["tool_uses"]
    assert uses == {"a": flagged("two calls have the same id"), "b": flagged("x"), "c": {"type": "skipped"}}
    assert judgement.safeguard_results([], {})[0]["status"] == {"type": "available", "tool_uses": {}}
    assert judgement.unsupported() == [{"type": "dangerous_tool_use", "status": {"type": "unsupported"}}]
    assert judgement.blocked(CALLS, "down") == {"a": flagged("down"), "b": flagged("down")}
    assert judgement.to_judge(calls[1:3], {}) == calls[1:3]
    assert len(judgement.blocked(CALLS, "y" * 9000)["a"]["explanation"]) == 500
