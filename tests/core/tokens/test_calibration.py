from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from claude_code_proxy.core.tokens.calibration import Calibration
from claude_code_proxy.core.tokens.estimate import estimate, measure
from claude_code_proxy.core.tokens.text_features import MEDIA, features, packed, unpacked
from tests.core.cases import CASES, load

KINDS = load(CASES / "tokens" / "tokenizers.json")["cases"]
TOKENIZERS = list(KINDS[0]["then"][0]["tokens"])
REPEATED = 4  # the texts are short
SYSTEM = "You are an agent that edits files with the tools below and says what it did. " * 40


def body(*texts: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text} for text in texts]}


def tokens(*rows: dict[str, Any], tokenizer: str) -> int:
    counts: list[int] = [row["tokens"][tokenizer] for row in rows]
    return sum(counts) + estimate(body(*("" for _ in rows)))


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind["name"]) for kind in KINDS])
def test_within_15_percent_after_two_answers(kind: dict[str, Any], tokenizer: str) -> None:
    calibration = Calibration()
    for row in kind["calibrating"]:
        said = [row] * REPEATED
        texts = [row["text"] for row in said]
        calibration.observe("m", measure(body(*texts)), tokens(*said, tokenizer=tokenizer))
    for rows in pairwise(kind["then"]):
        found = calibration.tokens("m", measure(body(*(row["text"] for row in rows))))
        assert found == pytest.approx(tokens(*rows, tokenizer=tokenizer), rel=0.15)


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind["name"]) for kind in KINDS])
def test_within_15_percent_in_a_conversation(kind: dict[str, Any], tokenizer: str) -> None:
    """One conversation in all kinds of text, which this kind goes on with."""
    rows = [row for other in KINDS if other is not kind for row in other["then"][:2]]
    calibration = Calibration()
    for row in kind["calibrating"]:
        rows.append(row)
        texts = [row["text"] for row in rows]
        calibration.observe("m", measure(body(*texts)), tokens(*rows, tokenizer=tokenizer))
    rows += kind["then"]
    found = calibration.tokens("m", measure(body(*(row["text"] for row in rows))))
    assert found == pytest.approx(tokens(*rows, tokenizer=tokenizer), rel=0.1)


def learned(*reports: tuple[str, int]) -> float:
    calibration = Calibration()
    for text, actual in reports:
        calibration.observe("m", features(text), actual)
    return calibration.tokens("m", features(SYSTEM)) / calibration.tokens("other", features(SYSTEM))


def test_what_it_knows() -> None:
    calibration = Calibration()
    usual = calibration.tokens("m", features(SYSTEM))
    calibration.observe("m", features(SYSTEM), round(usual * 1.2))
    assert (calibration.knows("m"), calibration.knows("other")) == (True, False)
    assert calibration.tokens("m", features(SYSTEM)) == pytest.approx(usual * 1.2, rel=0.03)
    assert calibration.tokens("other", features(SYSTEM)) == usual


def test_a_template_is_learned_with_the_text() -> None:
    usual = Calibration().tokens("m", features(SYSTEM))
    assert learned((SYSTEM, round(usual) + 40)) == pytest.approx(1 + 40 / usual, rel=0.02)


@pytest.mark.parametrize("actual", [1, 250, 10**6, 10**15])
def test_no_report_is_followed_beyond_bounds(actual: int) -> None:
    assert 0.5 <= learned(*[(SYSTEM, actual)] * 30) <= 6


def test_what_was_reported_before_counts_against_a_report() -> None:
    usual = Calibration().tokens("m", features(SYSTEM))
    assert learned((SYSTEM, round(1.2 * usual)), (SYSTEM, round(1.4 * usual))) == pytest.approx(
        1.33, abs=0.03
    )


def test_a_shorter_prompt_adds_nothing_to_the_one_before() -> None:
    usual = Calibration().tokens("m", features(SYSTEM))
    assert 0.8 < learned((SYSTEM * 3, round(0.8 * 3 * usual)), (SYSTEM, round(1.4 * usual))) < 1.4


def test_one_odd_report_is_outlived() -> None:
    usual = round(Calibration().tokens("m", features(SYSTEM)))
    assert learned((SYSTEM, usual), (SYSTEM, 10 * usual), *[(SYSTEM, usual)] * 10) == pytest.approx(
        1, rel=0.1
    )


@pytest.mark.parametrize(("text", "actual"), [("short", 1000), (SYSTEM, 0), (SYSTEM, -5)])
def test_what_teaches_nothing(text: str, actual: int) -> None:
    assert learned((text, actual)) == 1
    assert learned((SYSTEM, 1000), (text, actual)) == learned((SYSTEM, 1000))


def test_media_do_not_teach_about_text() -> None:
    calibration = Calibration()
    usual = calibration.tokens("m", features(SYSTEM))
    calibration.observe("m", features(SYSTEM) + packed(MEDIA, 6000), round(usual) + 3000)
    assert calibration.tokens("m", features(SYSTEM)) == pytest.approx(usual, rel=0.15)


def test_the_models_seen_last_are_kept() -> None:
    calibration = Calibration()
    for number in range(Calibration.MAX_MODELS):
        calibration.observe(f"m{number}", features(SYSTEM), 900)
    calibration.observe("m0", features(SYSTEM), 900)
    calibration.observe("new", features(SYSTEM), 900)
    assert [calibration.knows(model) for model in ("m0", "m1", "new")] == [True, False, True]


def test_a_good_estimate_is_left_alone() -> None:
    usual = Calibration().tokens("m", features(SYSTEM))
    calibration = Calibration()
    calibration.observe("m", features(SYSTEM), round(usual))
    weights = calibration._models["m"].weights
    calibration.observe("m", features(SYSTEM), round(usual) + 1)
    assert calibration._models["m"].weights is weights
    assert calibration._models["m"].counts == unpacked(features(SYSTEM))
