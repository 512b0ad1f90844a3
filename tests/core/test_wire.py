from __future__ import annotations

import json
import math
from typing import Any

import pytest

from claude_code_proxy.core import wire


@pytest.mark.parametrize(
    ("value", "depth"),
    [
        (1, 0),
        ("x", 0),
        ([1], 1),
        ({"a": None}, 1),
        ({"a": [{"b": "c"}]}, 3),
        ([[[]]], 3),
        ([{}], 2),
        ([[1], [[{"x": 1}]], 1], 4),
    ],
)
def test_depth(value: object, depth: int) -> None:
    assert not wire.is_deeper(value, depth)
    assert depth == 0 or wire.is_deeper(value, depth - 1)


def test_loads_what_peers_send() -> None:
    assert wire.loads(b'{"a":"\\ud800"}') == {"a": "\ud800"}
    assert wire.loads(b'\xef\xbb\xbf{"a":1}') == {"a": 1}
    assert wire.loads('\ufeff{"a":1}') == {"a": 1}
    assert wire.loads(b'{"a":1,"a":2}') == {"a": 2}
    assert math.isnan(wire.loads(b"[NaN]")[0])
    assert wire.loads(b'{"a":"\xff"}') == {"a": "\ufffd"}


@pytest.mark.parametrize(
    ("raw", "place"), [(b'{"a": }', (6, 1, 7)), (b'{\n"a": 1,\n}', (10, 3, 1)), (b"", (0, 1, 1))]
)
def test_says_where_the_fault_is(raw: bytes, place: tuple[int, int, int]) -> None:
    with pytest.raises(wire.WireError) as caught:
        wire.loads(raw)
    assert (caught.value.position, caught.value.line, caught.value.column) == place


def test_depth_is_no_crash() -> None:
    with pytest.raises(wire.WireError):
        wire.loads(b"[" * 100_000)


def test_what_leaves_is_valid() -> None:
    assert wire.dumps({"a": "é"}) == '{"a":"é"}'.encode()
    assert wire.dumps({"a\ud800": ["x\udc00", ("ok",)]}) == '{"a\ufffd":["x\ufffd",["ok"]]}'.encode()
    assert wire.dumps(["\ud83d" + "\ude00"]) == '["\U0001f600"]'.encode()
    assert wire.dumps([math.nan, True, None]) == b"[null,true,null]"
    assert json.loads(wire.dumps([2**80, "\ud800"])) == [2**80, "\ufffd"]
    assert wire.dumps_text({"a": 1}) == '{"a":1}'


@pytest.mark.parametrize("number", ["1e-400", "-0", "1" * 5000, "0.1000"])
@pytest.mark.parametrize("depth", [1, 5, 30])
def test_depth_of_numbers_that_keep_their_digits(number: str, depth: int) -> None:
    value = wire.loads("[" * depth + number + "]" * depth)
    assert not wire.is_deeper(value, 40)
    assert not wire.is_deeper(value, depth)
    assert wire.is_deeper(value, depth - 1)


def test_depth_of_many_values() -> None:
    many: list[Any] = [{"a": 1}] * 30_000
    assert not wire.is_deeper(many, 2)
    assert wire.is_deeper(many, 1)
    assert wire.is_deeper([many, [[[[[1]]]]]], 5)
    assert not wire.is_deeper([many, [[[[[1]]]]]], 6)
    assert not wire.is_deeper(many, 128)


def test_what_is_no_json_is_an_error() -> None:
    with pytest.raises(TypeError):
        wire.dumps({"a": object()})


def test_more_elements_than_anybody_can_hold() -> None:
    few, many = b"[" + b"[]," * 1000 + b"[]]", b"[" + b"[]," * 600_000 + b"[]]"
    for of in (bytes, bytes.decode):
        assert len(wire.loads_bounded(of(few))) == 1001
        with pytest.raises(wire.WireError, match="more than 500000 elements"):
            wire.loads_bounded(of(many))


def test_what_is_read_of_an_upstream_can_be_written_again() -> None:
    deep = {levels: b'{"a":' * levels + b"1" + b"}" * levels for levels in (wire.MOST_LEVELS, 250, 900)}
    value = wire.loads_bounded(deep.pop(wire.MOST_LEVELS))
    assert json.loads(wire.dumps([[[[{"around": [value]}]]]]))
    for text in deep.values():
        with pytest.raises(wire.WireError, match="nested too deeply"):
            wire.loads_bounded(text)
    assert wire.loads_bounded(b"[" + b"[[]]," * 300 + b"[]]")
