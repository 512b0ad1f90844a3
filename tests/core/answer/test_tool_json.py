from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_code_proxy.core import wire
from claude_code_proxy.core.answer.tool_json import (
    RAW_ARGUMENTS,
    ArgumentGate,
    OmittingGate,
    parse_arguments,
)
from claude_code_proxy.core.report import Report
from tests.core.test_json_prefix import OBJECT

WHOLE: list[tuple[str, dict[str, Any], str | None]] = [
    ('{"a":1}', {"a": 1}, None),
    (' {"a":1}\n', {"a": 1}, None),
    ("", {}, None),
    ("null", {}, None),
    ("{}", {}, None),
    ('"{\\"a\\":1}"', {"a": 1}, "tool_arguments_unwrapped"),
    ('"hello"', {RAW_ARGUMENTS: '"hello"'}, "tool_arguments_invalid"),
    ("[1]", {"value": [1]}, "tool_arguments_wrapped"),
    ("7", {"value": 7}, "tool_arguments_wrapped"),
    ('```json\n{"a":1}\n```', {"a": 1}, "tool_arguments_repaired"),
    ('```\n{"a":1}\n```', {"a": 1}, "tool_arguments_repaired"),
    ('```{"a":1}```', {"a": 1}, "tool_arguments_repaired"),
    ('```json\n{"a":1}', {RAW_ARGUMENTS: '```json\n{"a":1}'}, "tool_arguments_invalid"),
    ('{"a":1}\n```', {"a": 1}, "tool_arguments_repaired"),
    ('{"a":"b\nc"}', {"a": "b\nc"}, "tool_arguments_repaired"),
    ('{"a":1}}', {"a": 1}, "tool_arguments_repaired"),
    ('{}{"a":1}', {"a": 1}, "tool_arguments_repaired"),
    ('{} {"a":1} {"b":2}', {"a": 1}, "tool_arguments_repaired"),
    ("{} {}", {}, "tool_arguments_repaired"),
    ('{"a":1', {RAW_ARGUMENTS: '{"a":1'}, "tool_arguments_invalid"),
    ('{"command":"rm -rf /tmp/x', {RAW_ARGUMENTS: '{"command":"rm -rf /tmp/x'}, "tool_arguments_invalid"),
    ("not json", {RAW_ARGUMENTS: "not json"}, "tool_arguments_invalid"),
]

# pieces, what goes out, the code of the notice
STREAMED: list[tuple[list[str], str, str | None]] = [
    (['{"a"', ":1}"], '{"a":1}', None),
    (["", " ", '\n{"a":1}', "\n"], '{"a":1}', None),
    (["{", "}"], "{}", None),
    (["{}"], "{}", None),
    ([], "", None),
    ([" "], "", None),
    (["{}", '{"a":1}'], '{"a":1}', "tool_arguments_repaired"),
    (["{", "}", '{"a":', "1}"], '{"a":1}', "tool_arguments_repaired"),
    (['{"a":1}', "}"], '{"a":1}', "tool_arguments_trailing"),
    (['{"a":1}', "x", "y"], '{"a":1}', "tool_arguments_trailing"),
    (['{"a":1}}'], '{"a":1}', "tool_arguments_trailing"),
    (['{"a":1}', '{"a":1}'], '{"a":1}', None),
    (['{"a":1}', '{"b":2}'], '{"a":1}', "tool_arguments_trailing"),
    (['{"a":1}', "X"], '{"a":1}', "tool_arguments_trailing"),
    (["{}", '\r\n{"a":1}'], '{"a":1}', "tool_arguments_repaired"),
    (["{}", "{}"], "{}", "tool_arguments_repaired"),
    (['{"a"', '{"a":1', '{"a":1}'], '{"a":1}', "tool_arguments_cumulative"),
    (["{a:1}", "tail"], "{a:1}tail", "tool_arguments_invalid"),
    (['{"a":1', "x", "y"], '{"a":1xy', "tool_arguments_invalid"),
    (['{"a"', '{"a"', '{"a":1}'], '{"a":1}', "tool_arguments_cumulative"),
    (["{", "{ ", '{ "a":1}'], '{ "a":1}', "tool_arguments_cumulative"),
    (["{", " ", "a:1}"], "{ a:1}", "tool_arguments_invalid"),
    (['{"a":1'], '{"a":1', None),
    (["{"], "{", None),
    (["not ", "json"], '{"_raw_arguments":"not json"}', "tool_arguments_invalid"),
    (["[1", "]"], '{"value":[1]}', "tool_arguments_wrapped"),
    (["null"], "{}", None),
    (['"{\\"a\\"', ':1}"'], '{"a":1}', "tool_arguments_unwrapped"),
]


def notices(report: Report) -> list[tuple[str, str, str]]:
    return [(notice.code, notice.path, notice.action) for notice in report.notices]


@pytest.mark.parametrize(("text", "expected", "code"), WHOLE)
def test_whole(text: str, expected: dict[str, Any], code: str | None) -> None:
    report = Report()
    assert parse_arguments(text, report) == expected
    assert notices(report) == ([(code, "upstream.tool_calls", "changed")] if code else [])


@pytest.mark.parametrize(("pieces", "expected", "code"), STREAMED)
def test_streamed(pieces: list[str], expected: str, code: str | None) -> None:
    report = Report()
    gate = ArgumentGate(report)
    out = "".join(gate.feed(piece) for piece in pieces) + gate.close()
    assert out == expected
    assert notices(report) == ([(code, "upstream.tool_calls", "changed")] if code else [])


@given(OBJECT, st.data())
def test_a_valid_object_passes_unchanged_and_at_once(value: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(value)
    gate = ArgumentGate(Report())
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    out = ""
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        out += gate.feed(text[start:end])
        assert value == {} or out.strip() == "" or out == text[:end] or not text[:end].strip("{} \n")
        assert gate.complete == (end == len(text))
        assert gate.incomplete == (0 < end < len(text))
    assert out + gate.close() == text


PIECES = st.lists(
    st.sampled_from(
        ('{"a"', "{", "}", ":", ' "b', '"', "\\\\", "\\", "u00e9", "[1,", "2", "]", ",", " ", "x")
    )
    | st.text(max_size=3),
    max_size=8,
)


@given(PIECES, PIECES, PIECES)
def test_what_passes_at_once_would_have_passed_in_pieces(
    before: list[str], at_once: list[str], after: list[str]
) -> None:
    plain, gate = ArgumentGate(Report()), ArgumentGate(Report())
    assert [gate.feed(piece) for piece in before] == [plain.feed(piece) for piece in before]
    one_by_one = [plain.feed(piece) for piece in at_once]
    if gate.pass_on("".join(at_once)):
        assert one_by_one == at_once
    else:
        assert [gate.feed(piece) for piece in at_once] == one_by_one
    assert (gate.complete, gate.incomplete) == (plain.complete, plain.incomplete)
    assert [gate.feed(piece) for piece in after] == [plain.feed(piece) for piece in after]
    assert gate.close() == plain.close()


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (['{"a":"', "b c"], True),
        (['{"a":"', 'b"}'], True),
        (['{"a":', '"b\\'], True),
        (['{"a":"', 'b"}x'], False),
        (['{"a":"', "b\n"], False),
        (['{"a":"b"}', " "], False),
        (["{", '"a"'], False),
        (["x", "y"], False),
        (['{"a"', '{"a":1', ',"b'], False),
        (['{"a":' + "[" * 255, "1"], True),
        (['{"a":' + "[" * 256, "1"], False),
    ],
)
def test_what_passes_at_once(pieces: list[str], expected: bool) -> None:
    gate = ArgumentGate(Report())
    for piece in pieces[:-1]:
        gate.feed(piece)
    assert gate.pass_on(pieces[-1]) is expected
    assert not OmittingGate(Report(), frozenset()).pass_on(pieces[-1])


@pytest.mark.parametrize(
    "text",
    [
        '{"a":' * 300 + "1" + "}" * 300,
        '{"a":' * 300 + "1" + "}" * 300 + " and",
        "[" * 300 + "]" * 300,
        json.dumps("[" * 300 + "]" * 300),
        "[" + "{}," * 600_000 + "{}]",
        '{"a":[' + "{}," * 600_000 + "{}]} and",
    ],
)
def test_more_than_can_be_written_or_held_stays_text(text: str) -> None:
    kept = parse_arguments(text, Report())
    assert kept == {RAW_ARGUMENTS: text}
    assert json.loads(wire.dumps(kept)) == kept


def test_depth_is_no_crash() -> None:
    text = '{"a":' * 100_000
    assert parse_arguments(text, Report()) == {RAW_ARGUMENTS: text}
