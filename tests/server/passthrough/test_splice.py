import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_code_proxy.server.passthrough.splice import replace, replace_first, replace_scalar

TRICKY = (
    rb'{ "a\"model" : "model", "x":[{"model":"m","y":"}]\\"}], "model" :'
    + b'\n\t"m", "text":"say \\"model\\": \\"m\\"", "max_tokens" : 5 }'
)


def test_only_the_value_changes() -> None:
    assert replace_scalar(TRICKY, "model", "m", b'"new"') == TRICKY.replace(b'\t"m"', b'\t"new"')
    assert replace_scalar(TRICKY, "max_tokens", 5, b"77") == TRICKY.replace(b": 5 }", b": 77 }")


def test_a_nested_member_of_the_same_name_and_an_escaped_key_are_no_trap() -> None:
    raw = rb'{"metadata":{"model":"other"},"\u006dodel":"m"}'
    assert replace_scalar(raw, "model", "m", b'"n"') == rb'{"metadata":{"model":"other"},"\u006dodel":"n"}'


def test_the_first_member_with_that_value_is_replaced() -> None:
    raw = rb'{"say":"\"model\":\"m\"","model":{"model":"other"},"message":{"model" : "\u006d"},"model":"m"}'
    assert replace_first(raw, "model", "m", b'"n"') == raw.replace(rb'"\u006d"', b'"n"')
    assert replace_first(raw, "model", "none", b'"n"') == raw


def test_a_key_that_occurs_twice_is_edited_twice() -> None:
    assert replace_scalar(b'{"model":"m","model":"m"}', "model", "m", b"1") == b'{"model":1,"model":1}'


@pytest.mark.parametrize(
    ("raw", "key", "left"),
    [
        (b'{"a":1,"b":2,"c":3}', "a", b'{"b":2,"c":3}'),
        (b'{"a":1, "b":2, "c":3}', "b", b'{"a":1, "c":3}'),
        (b'{"a":1, "b":2, "c":[{"x":"}"}]}', "c", b'{"a":1, "b":2}'),
        (b'{"a":{}}', "a", b"{}"),
        (b'{"a":1}', "z", b'{"a":1}'),
    ],
)
def test_removing_takes_the_comma_along(raw: bytes, key: str, left: bytes) -> None:
    assert replace(raw, {key: None}) == left


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from(["model", "a", 'q"', "b\\", "c"]) | st.text(max_size=3), json_values),
    st.sampled_from([None, 0, 2]),
    st.booleans(),
)
def test_any_object_reads_as_if_edited_by_a_parser(value: dict, indent: int | None, ascii_only: bool) -> None:  # type: ignore[type-arg]
    value["model"] = "m"
    raw = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    assert json.loads(replace_scalar(raw, "model", "m", b'"new"')) == {**value, "model": "new"}
    for key in value:
        without = {name: item for name, item in value.items() if name != key}
        assert json.loads(replace(raw, {key: None})) == without
        both = {name: item for name, item in without.items() if name != "model"}
        assert json.loads(replace(raw, {key: None, "model": None})) == both
        if key != "model":
            assert json.loads(replace(raw, {key: None, "model": b"7"})) == {**without, "model": 7}
