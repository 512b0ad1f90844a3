"""What a session read again, and why."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claude_code_proxy.core import wire
from claude_code_proxy.core.deltas import Usage
from claude_code_proxy.core.prompt_cache.cache_proof import CacheLoss, CacheProof
from claude_code_proxy.core.report import Notice

MARK = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
TOOLS = [{"name": "Read", "input_schema": {}}, {"name": "Bash", "input_schema": {}}]
TURNS: list[dict[str, Any]] = [
    {"role": "user", "content": [{"type": "text", "text": 'say "hi" {}, "cache_control": {}', **MARK}]},
    {"role": "assistant", "content": [{"type": "text", "text": "hi"}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "r", **MARK}]},
    {"role": "assistant", "content": [{"type": "text", "text": "ho"}]},
    {"role": "user", "content": "more"},
]
FIRST: dict[str, Any] = {
    "model": "m",
    "system": [
        {"type": "text", "text": "x-anthropic-billing-header: cch=1;"},
        {"type": "text", "text": "Be kind", **MARK},
    ],
    "tools": [*TOOLS[:1], {**TOOLS[1], **MARK}],
    "messages": TURNS[:3],
}
PLAIN = [
    {"role": "user", "content": 'say "hi" {}, "cache_control": {}'},
    TURNS[1],
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "r"}]},
    *TURNS[3:],
]
NEXT: dict[str, Any] = {
    **FIRST,
    "system": [
        {"type": "text", "text": "x-anthropic-billing-header: cch=2;"},
        {"type": "text", "text": "Be kind"},
    ],
    "tools": TOOLS,
    "messages": PLAIN,
}


def usage(read: int, total: int = 50_000) -> Usage:
    return Usage(total - read, 5, read, 0)


def raw(body: Any, separators: tuple[str, str] = (",", ":")) -> bytes:
    return json.dumps(body, separators=separators).encode()


def look(proof: CacheProof, who: int, body: bytes, used: Usage, *codes: str) -> CacheLoss | None:
    notices = [Notice(code, "", "changed", "") for code in codes]
    return proof.look(who, wire.fields(body) or {}, used, notices)


def second(body: Any, read: int = 0, **how: Any) -> CacheLoss | None:
    proof = CacheProof()
    assert look(proof, 1, raw(FIRST, **how), usage(0)) is None
    return look(proof, 1, raw(body, **how), usage(read, 60_000))


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_what_is_appended_and_marked_otherwise_is_no_change(separators: tuple[str, str]) -> None:
    assert second(NEXT, separators=separators) is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model": "n"}, "model changed, 50,000 tokens read again"),
        ({"system": "other"}, "system prompt changed, 50,000 tokens read again"),
        (
            {"tools": [*TOOLS, {"name": "mcp__x", "input_schema": {}}]},
            "tool list changed: +mcp__x, 50,000 tokens read again",
        ),
        (
            {"tools": [{**TOOLS[0], "description": "new"}]},
            "tool list changed: ~Read, -1 removed, 50,000 tokens read again",
        ),
        ({"tools": TOOLS[::-1]}, "tool list changed: another order, 50,000 tokens read again"),
        ({"tools": ["odd", 5]}, "tool list changed: +, +, -2 removed, 50,000 tokens read again"),
        (
            {"messages": [PLAIN[0], {"role": "assistant", "content": "no"}, *PLAIN[2:]]},
            "messages changed: from messages.1 of 3 on, 50,000 tokens read again",
        ),
        (
            {"messages": [{"role": "user", "content": "hello"}, *PLAIN[1:]]},
            "messages changed: from messages.0 of 3 on, 50,000 tokens read again",
        ),
        ({"messages": PLAIN[:1]}, "messages changed: from messages.1 of 3 on, 50,000 tokens read again"),
    ],
)
def test_what_changed_and_what_it_cost(change: dict[str, Any], told: str) -> None:
    assert str(second({**NEXT, **change})) == told


@pytest.mark.parametrize("text", ["", "\\", '"', '\\"', "a}]}", '"}]}', "\n", '"},{"'])
def test_one_text_in_either_form(text: str) -> None:
    first = {
        **FIRST,
        "messages": [{"role": "user", "content": [{"type": "text", "text": text}]}, *TURNS[1:3]],
    }
    then = {**NEXT, "messages": [{"role": "user", "content": text}, *PLAIN[1:]]}
    proof = CacheProof()
    look(proof, 1, raw(first), usage(0))
    assert look(proof, 1, raw(then), usage(0)) is None


def test_two_texts_are_not_one() -> None:
    two = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    one = '[{"type":"text","text":"a"},{"type":"text","text":"b"}]'
    proof = CacheProof()
    look(proof, 1, raw({**FIRST, "messages": [TURNS[0], {"role": "user", "content": two}]}), usage(0))
    then = {**FIRST, "messages": [TURNS[0], {"role": "user", "content": one}, TURNS[1]]}
    assert look(proof, 1, raw(then), usage(0)) is not None


@pytest.mark.parametrize(
    ("written", "without"),
    [
        ('{"a": 1 , "cache_control": {"type": "x"} }', '{"a": 1  }'),
        ('{"cache_control":null,"a":1}', '{"a":1}'),
        ('{"cache_control":{} , "a":1}', '{"a":1}'),
        ('{"cache_control":{}}', "{}"),
        ('{"required":["cache_control"],"cache_control":{}}', '{"required":["cache_control"]}'),
        ('{"cache_control":"odd"}', '{"cache_control":"odd"}'),
        ('{"a":"\\",\\"cache_control\\":{}"}', '{"a":"\\",\\"cache_control\\":{}"}'),
    ],
)
def test_marks_are_taken_out(written: str, without: str) -> None:
    def of(tools: str) -> CacheLoss | None:
        return look(proof, 1, b'{"messages":["m"],"tools":[%b]}' % tools.encode(), usage(0))

    proof = CacheProof()
    of(written)
    assert of(without) is None
    assert of("5") is not None


def test_no_tools_before_or_after() -> None:
    without = {key: value for key, value in NEXT.items() if key != "tools"}
    assert str(second(without)) == "tool list changed: -2 removed, 50,000 tokens read again"
    proof = CacheProof()
    look(proof, 1, raw(without), usage(0))
    assert str(look(proof, 1, raw(NEXT), usage(0))) == "tool list changed, 50,000 tokens read again"


def test_what_the_cache_served_after_all_costs_nothing() -> None:
    assert second({**NEXT, "system": "other"}, read=49_500) is None
    loss = second({**NEXT, "system": "other"}, read=8_800)
    assert loss == CacheLoss("system_changed", "", 41_200)


@pytest.mark.parametrize(
    ("codes", "why"),
    [
        (["cache_control"], "nothing changed: the provider no longer had it"),
        (["cache_control", "context_edited"], "old content was cleared (context_management)"),
        (["compaction_emulated"], "old content was cleared (context_management)"),
    ],
)
def test_nothing_changed_that_the_client_sent(codes: list[str], why: str) -> None:
    proof = CacheProof()
    bodies = [{**NEXT, "messages": PLAIN[:count]} for count in (1, 3, 5)]
    assert look(proof, 1, raw(bodies[0]), usage(0)) is None
    assert look(proof, 1, raw(bodies[1]), usage(48_000)) is None
    loss = look(proof, 1, raw(bodies[2]), usage(0), *codes)
    assert str(loss) == f"{why}, 50,000 tokens read again"
    assert look(proof, 1, raw(bodies[2]), usage(0)) is None, "said once"


def test_conversations_side_by_side() -> None:
    proof = CacheProof()
    other = {**FIRST, "system": "title", "messages": [{"role": "user", "content": "name it"}]}
    for who in (1, 2):
        assert look(proof, who, raw(FIRST), usage(0)) is None
        assert look(proof, who, raw(other), usage(0)) is None
        assert look(proof, who, raw(NEXT), usage(50_000, 60_000)) is None
    for number in range(20):
        body = {**other, "messages": [{"role": "user", "content": str(number)}]}
        assert look(proof, 1, raw(body), usage(0)) is None
    assert look(proof, 1, raw({**NEXT, "system": "x"}), usage(0)) is None, "forgotten"


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"messages": 5}', b'{"messages": []}', b"no"])
def test_what_is_no_prompt(body: bytes) -> None:
    assert look(CacheProof(), 1, body, usage(0)) is None
