from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_code_proxy.core.json_prefix import ObjectScanner

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
OBJECT = st.dictionaries(st.text(), JSON, max_size=4)

BROKEN = [
    "[",
    '{"a" 1',
    "{a",
    '{"a":}',
    '{"a":1,}',
    '{"a":[1,]',
    '{"a":1]',
    '{"a":tru,',
    '{"a":tx',
    '{"a":01',
    '{"a":1.}',
    '{"a":1.2.3',
    '{"a":--1',
    '{"a":"\\x"',
    '{"a":"\\u12g4"',
    '{"a":"b\nc"',
    '{"a":1 2',
    '{"a":1,2',
    "{,",
    '{"a":[}',
    '{"a"}',
    "}",
    '{"a":+1',
    '{"a":-}',
]


def scan(text: str) -> ObjectScanner:
    scanner = ObjectScanner()
    for character in text:
        scanner.feed(character)
    return scanner


@given(OBJECT, st.booleans(), st.sampled_from([None, 1]))
def test_an_object_is_complete_at_its_end_only(
    value: dict[str, object], ascii_: bool, indent: int | None
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_, indent=indent)
    for at in range(0, len(text), max(1, len(text) // 40)):
        scanner = ObjectScanner()
        assert scanner.feed(text[:at]) == at
        assert not scanner.complete
        assert not scanner.broken
        assert scanner.feed(text[at:] + " more") == len(text) - at
        assert scanner.complete


@pytest.mark.parametrize("text", BROKEN)
def test_the_first_illegal_character_breaks_it(text: str) -> None:
    assert scan(text).broken
    whole = ObjectScanner()
    assert whole.feed(text) < len(text)
    assert whole.broken
    assert not whole.complete
    assert whole.feed("more") == 0


@given(st.text(alphabet='{}[]",:\\u0ae1-.tfn \n', max_size=30))
def test_agrees_with_the_json_module(text: str) -> None:
    scanner = ObjectScanner()
    taken = scanner.feed(text)
    if scanner.complete:
        assert isinstance(json.loads(text[:taken]), dict)
    else:
        assert not is_object(text)


def is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
