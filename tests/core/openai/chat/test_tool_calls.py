from __future__ import annotations

from typing import Any

import pytest

from claude_code_proxy.core.deltas import ToolArguments, ToolStart
from claude_code_proxy.core.openai.chat.tool_calls import ToolCalls

NAMES = {name: name for name in ("Read", "ReadAll", "Bash")} | {"mcp_long_1234": "mcp__long__name"}


def call(
    name: Any = None,
    arguments: Any = None,
    *,
    index: Any = None,
    id: Any = None,  # noqa: A002
    **more: Any,
) -> dict[str, Any]:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    entry: dict[str, Any] = {"function": function, **more}
    if index is not None:
        entry["index"] = index
    if id is not None:
        entry["id"] = id
    return entry


A, B = '{"a":1}', '{"a":2}'

# what it shows, the tool_calls of each chunk, then (id, name, arguments) of each call
CASES: list[tuple[str, list[list[Any]], list[tuple[str, str, str]]]] = [
    ("one call in pieces", [[call("Read", "", index=0, id="x")], [call(None, A, index=0)]], [("x", "Read", A)]),
    (
        "interleaved",
        [
            [call("Read", index=0, id="x"), call("Bash", index=1, id="y")],
            [call(None, A, index=0)],
            [call(None, B, index=1)],
        ],
        [("x", "Read", A), ("y", "Bash", B)],
    ),
    (
        "an entry that has an id only, and one that says nothing",
        [[{"index": 0, "id": "x"}], [{"index": 0}], [call("Read", A, index=0)]],
        [("x", "Read", A)],
    ),
    ("index starts at 1", [[call("Read", A, index=1, id="x")]], [("x", "Read", A)]),
    (
        "index 0 for all, ids differ",
        [[call("Read", A, index=0, id="x")], [call("Read", B, index=0, id="y")]],
        [("x", "Read", A), ("y", "Read", B)],
    ),
    (
        "index 0 for all, no ids",
        [[call("Read", A, index=0)], [call("Read", B, index=0)]],
        [("", "Read", A), ("", "Read", B)],
    ),
    (
        "index 0 for all, no ids, other name",
        [[call("Read", A, index=0)], [call("Bash", "", index=0)], [call(None, B, index=0)]],
        [("", "Read", A), ("", "Bash", B)],
    ),
    ("no index", [[call("Read", A, id="x")], [call("Bash", B, id="y")]], [("x", "Read", A), ("y", "Bash", B)]),
    ("no index, no id, one list", [[call("Read", A), call("Read", B)]], [("", "Read", A), ("", "Read", B)]),
    ("no index, no id, two chunks", [[call("Read", A)], [call("Bash", B)]], [("", "Read", A), ("", "Bash", B)]),
    ("no index, same id continues", [[call("Read", '{"a"', id="x")], [call(None, ":1}", id="x")]], [("x", "Read", A)]),
    ("no index, same id twice in one list", [[call("Read", A, id="x"), call("Read", B, id="x")]], [("x", "Read", A), ("x", "Read", B)]),
    ("no index, id comes late", [[call("Read")], [call(None, A, id="x")]], [("x", "Read", A)]),
    ("id comes with the next chunk", [[call("Read", index=0)], [call(None, A, index=0, id="x")]], [("x", "Read", A)]),
    ("id comes too late", [[call("Read", index=0)], [], [call(None, A, index=0, id="x")]], [("", "Read", A)]),
    ("empty ids later", [[call("Read", "", index=0, id="x")], [call(None, A, index=0, id="")]], [("x", "Read", A)]),
    (
        "id and name repeated in each delta",
        [[call("Read", '{"a"', index=0, id="0")], [call("Read", ":1}", index=0, id="0")]],
        [("0", "Read", A)],
    ),
    ("name repeated as empty", [[call("Read", "", index=0, id="x")], [call("", A, index=0)]], [("x", "Read", A)]),
    ("name comes late", [[call(None, '{"a"', index=0, id="x")], [call("Read", ":1}", index=0)]], [("x", "Read", A)]),
    ("name in pieces", [[call("Ba", index=0, id="x")], [call("sh", index=0)], [call(None, A, index=0)]], [("x", "Bash", A)]),
    ("name that begins another name", [[call("Read", index=0, id="x")], [call(None, A, index=0)]], [("x", "Read", A)]),
    ("a piece that stays alone", [[call("Ba", index=0, id="x")], [], []], [("x", "Ba", "")]),
    ("a piece that no name continues", [[call("Ba", index=0, id="x")], [call("zz", A, index=0)]], [("x", "Ba", A)]),
    ("arguments as an object", [[call("Read", {"a": 1}, index=0, id="x")]], [("x", "Read", A)]),
    ("the object again, and more", [[call("Read", {"a": 1}, index=0, id="x")], [call(None, {"a": 1}, index=0)]], [("x", "Read", A)]),
    ("the whole call again", [[call("Read", A, index=0)], [call("Read", A, index=0)]], [("", "Read", A + A)]),
    ("no JSON, name repeated", [[call("Read", "{a}", index=0)], [call("Read", "x", index=0)]], [("", "Read", "{a}x")]),
    ("no arguments", [[call("Read", index=0, id="x")], [], []], [("x", "Read", "")]),
    ("a later call starts the earlier", [[call("Read", index=0), call("Bash", A, index=1)]], [("", "Read", ""), ("", "Bash", A)]),
    ("custom tool", [[{"index": 0, "id": "x", "type": "custom", "custom": {"name": "Read", "input": "hi"}}]], [("x", "Read", '{"input":"hi"}')]),
    ("custom tool in pieces", [[{"index": 0, "id": "x", "custom": {"name": "Read", "input": "h\""}}], [{"index": 0, "custom": {"input": "i"}}], [{"index": 0, "custom": {"input": None}}]], [("x", "Read", '{"input":"h\\"i"}')]),
    ("custom tool after a call of its name", [[{"index": 0, "id": "x", "function": {"name": "Read", "arguments": "{}"}}], [{"index": 0, "id": "y", "custom": {"name": "Read", "input": "a"}}]], [("x", "Read", "{}"), ("y", "Read", '{"input":"a"}')]),
    ("empty objects of every kind", [[{"index": 0, "function": {}, "custom": {}}, "odd", None]], []),
    ("booleans are no index", [[call("Read", A, index=True, id="x")]], [("x", "Read", A)]),
    ("prefix and case", [[call("functions.Read", A, id="x"), call("BASH", B, id="y"), call("functions.bash", B, id="z")]], [("x", "Read", A), ("y", "Bash", B), ("z", "Bash", B)]),
    ("shortened name", [[call("mcp_long_1234", A, id="x")]], [("x", "mcp__long__name", A)]),
    ("unknown name", [[call("Unknown", A, id="x")]], [("x", "Unknown", A)]),
    ("arguments that go on without index", [[call("Read", '{"a"', id="x")], [call(None, ":1}")]], [("x", "Read", A)]),
    ("late id between complete calls", [[call("Read", A, id="x")], [call(None, None, id="y"), call("Bash", B, id="y")]], [("x", "Read", A), ("y", "Bash", B)]),
    ("first delta without anything to tell it by", [[call(None, '{"a"')], [call("Read", ":1}")]], [("", "Read", A)]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "chunks", "expected"), CASES, ids=[case[0] for case in CASES])
def test_calls(what: str, chunks: list[list[Any]], expected: list[tuple[str, str, str]]) -> None:
    calls = ToolCalls(NAMES)
    found: list[ToolStart | ToolArguments] = []
    for entries in chunks:
        found += calls.feed(entries)
        if calls.unstarted:
            found += calls.settle()
    found += calls.end()
    starts = [delta for delta in found if isinstance(delta, ToolStart)]
    got = []
    for start in starts:
        pieces = [d for d in found if isinstance(d, ToolArguments) and d.key == start.key]
        assert all(found.index(piece) > found.index(start) for piece in pieces)
        got.append((start.id, start.name, "".join(piece.text for piece in pieces)))
    assert got == expected
    assert not calls.unstarted


def test_a_call_that_is_never_named_is_noticed() -> None:
    calls = ToolCalls(NAMES)
    assert calls.feed([call(None, A, index=0, id="x")]) == []
    assert calls.settle() == []
    assert calls.end() == []
    assert calls.unstarted


def test_what_must_travel_beside_a_call() -> None:
    extra = {"google": {"thought_signature": "S"}}
    calls = ToolCalls(NAMES)
    assert calls.feed([call("Read", A, id="x", extra_content=extra)])[0] == ToolStart(0, "x", "Read", extra)


@pytest.mark.parametrize(
    ("arguments", "calls_found"),
    [
        (['{"a":1}'], 2),
        (['{"a":', "1}"], 2),
        (['{"a":1}', " "], 2),
        (['{"a":1}', "x"], 1),
        (['{"a":'], 1),
        (["abc"], 1),
        (["abc}"], 1),
        (['["x"]'], 2),
        (['["' + "x" * 2000 + '"]'], 1),
    ],
)
def test_a_name_after_complete_arguments_begins_another_call(arguments: list[str], calls_found: int) -> None:
    calls = ToolCalls(NAMES)
    found = calls.feed([call("Read", arguments[0], index=0)])
    for piece in arguments[1:]:
        found += calls.feed([call(None, piece, index=0)])
    found += calls.feed([call("Bash", "{}", index=0)])
    assert sum(isinstance(delta, ToolStart) for delta in found + calls.end()) == calls_found
