from __future__ import annotations

from typing import Any

import pytest

from claude_code_proxy.core.tokens.text_features import (
    DEFAULT,
    FIXED,
    SIZE,
    TOKENIZERS,
    default_tokens,
    features,
    packed,
    unpacked,
)
from tests.core.cases import CASES, load

TEXTS = [pytest.param(case, id=case["name"]) for case in load(CASES / "tokens" / "texts.json")["cases"]]


@pytest.mark.parametrize("case", TEXTS)
def test_within_15_percent_of_a_real_tokenizer(case: dict[str, Any]) -> None:
    assert default_tokens(features(case["text"])) == pytest.approx(case["tokens"], rel=0.15)


COUNTED = [
    ("", {}),
    ("one two", {0: 2, 1: 6}),
    ("camelCase", {0: 1, 1: 8, 2: 1, 8: 1}),
    ("1234567", {3: 3, 4: 2, 9: 7}),
    ("a .. .5\n", {0: 1, 1: 1, 5: 2, 6: 1, 7: 1, 9: 1, 10: 3, 11: 1}),
    ("\u00e9\u1ea1", {12: 2}),
    ("\u0416\u03a9", {13: 2}),
    ("\u05d0", {14: 1}),
    ("\u0639", {15: 1}),
    ("\u3042\uff0c", {16: 2}),
    ("\u4e2d", {17: 1}),
    ("\ud55c", {18: 1}),
    ("\u2192", {19: 1}),
    ("\U0001f600", {20: 1}),
    ("\u0915\u0e01\u0e40\u0995", {21: 1, 22: 2, 23: 1}),
]


@pytest.mark.parametrize(("text", "counts"), COUNTED, ids=[text for text, _ in COUNTED])
def test_what_is_counted(text: str, counts: dict[int, int]) -> None:
    assert {i: count for i, count in enumerate(unpacked(features(text))) if count} == counts


def test_counts_add_up() -> None:
    counts = features("one two") + packed(FIXED, 7) + features("three")
    assert unpacked(counts)[:2] == (3, 11)
    assert unpacked(counts)[FIXED] == 7


def test_each_tokenizer_weighs_each_feature() -> None:
    assert {len(row) for row in TOKENIZERS} == {SIZE - 4}
    assert len(DEFAULT) == SIZE


def test_lone_surrogates_are_no_obstacle() -> None:
    assert default_tokens(features("a\ud800b")) > 0
