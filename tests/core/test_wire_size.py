"""Counting the elements of a JSON text without reading it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_code_proxy.core import wire
from claude_code_proxy.core.wire import has_more_elements

VALUES = st.recursive(
    st.none() | st.integers() | st.text(alphabet='ab,[{]}"\\\n:', max_size=12),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=4), inner, max_size=5),
    max_leaves=40,
)


def weight(value: Any) -> int:
    """The commas, brackets and braces that the value's JSON has outside of its strings."""
    if isinstance(value, dict):
        return max(len(value), 1) + sum(map(weight, value.values()))
    return max(len(value), 1) + sum(map(weight, value)) if isinstance(value, list) else 0


@given(VALUES, st.integers(1, 30))
def test_it_counts_what_the_text_holds(value: Any, piece: int) -> None:
    text = json.dumps([value, value]).encode()
    total = weight([value, value])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(wire, "_PIECE", piece)
        assert not has_more_elements(text, total)
        for less in {total - 1, total // 2}:
            assert has_more_elements(text, less) is (len(text) > 2 * less)


@pytest.mark.parametrize(
    ("text", "more"),
    [
        (b'["' + b"a, [b, {c" * 300_000 + b'"]', False),
        (b'["' + b'\\"' * 300_000 + b"," * 300_000 + b'"]', False),
        (b'["' + b"\\\\" * 300_000 + b'",' + b"1," * 60_000 + b"1]", True),
        (b'{"messages":[' + b"{}," * 60_000 + b"{}]}", True),
        (b"[" * 200_001, True),
        (b'["a\\' + b"," * 200_001, False),
        (b'"' * 400_001, False),
    ],
)
def test_large_texts(text: bytes, more: bool) -> None:
    assert has_more_elements(text, 50_000) is more


@pytest.mark.parametrize(
    "text",
    ["[" * (wire.MOST_LEVELS + 1) + "]" * (wire.MOST_LEVELS + 1), "[0" + ",0" * wire.MOST_ELEMENTS + "]"],
    ids=["levels", "elements"],
)
def test_what_is_too_large_names_no_place(text: str) -> None:
    with pytest.raises(wire.WireError) as caught:
        wire.loads_bounded(text)
    assert (caught.value.position, caught.value.line, caught.value.column) == (0, 1, 1)
