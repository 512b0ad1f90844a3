"""How a response ended, by the words of providers: the table of cases, and the whole way to the client."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claude_code_proxy.core.deltas import Finish
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.errors.context import ErrorContext
from claude_code_proxy.core.openai.finish import overflow, read_finish, stop_reason, stop_sequence
from tests import paths

CASES = json.loads((paths.CASES / "finish_words.json").read_text())
STOPS = [(word, reason) for reason, words in CASES["stop_reasons"].items() for word in words]
ERRORS = [(word, *kind.split()) for kind, words in CASES["errors"].items() for word in words]


def spellings(word: str) -> set[str]:
    """The same word as other gateways write it."""
    dashed = word.replace("_", "-")
    camel = "".join(part.capitalize() for part in word.split("_")) if word.islower() else word
    return {
        word,
        word.upper() if "_" in word else word,
        dashed,
        camel,
        f"{word}: because",
        f"FinishReason.{word}",
    }


@pytest.mark.parametrize(("word", "reason"), STOPS)
def test_stop_reasons(word: str, reason: str) -> None:
    for spelling in spellings(word):
        assert read_finish(spelling, ErrorContext()) == Finish(reason), spelling  # type: ignore[arg-type]
        assert stop_reason(spelling) == reason


@pytest.mark.parametrize(("word", "status", "kind"), ERRORS)
def test_errors(word: str, status: str, kind: str) -> None:
    for spelling in spellings(word):
        error = read_finish(spelling, ErrorContext())
        assert isinstance(error, ApiError), spelling
        assert (error.status, error.type) == (int(status), kind), spelling
        assert word.partition("_")[0].lower() in error.message.lower()
        assert stop_reason(spelling) is None


@pytest.mark.parametrize("word", CASES["sent_again"])
def test_a_malformed_call_is_worth_another_try(word: str) -> None:
    error = read_finish(word, ErrorContext())
    assert isinstance(error, ApiError)
    assert error.retryable


@pytest.mark.parametrize("word", CASES["unknown"])
def test_unknown_words(word: str) -> None:
    finish = read_finish(word, ErrorContext())
    assert finish == Finish("end_turn", unknown=word[:80])


@pytest.mark.parametrize(("word", "native", "expected"), CASES["native"])
def test_the_word_behind_a_gateway(word: str, native: Any, expected: str) -> None:
    finish = read_finish(word, ErrorContext(), native)
    assert (finish.type if isinstance(finish, ApiError) else finish.reason) == expected


def test_codes_that_the_error_tables_know_count_more() -> None:
    error = read_finish("insufficient_quota: pay first", ErrorContext())
    assert isinstance(error, ApiError)
    assert error.status == 402


def test_a_full_context_window_is_what_makes_the_client_compact() -> None:
    error = overflow(ErrorContext(input_tokens=150_000))
    assert (error.status, error.type) == (400, "invalid_request_error")
    assert error.message.startswith("prompt is too long")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"stop_reason": "END"}, "END"),
        ({"matched_stop": "###"}, "###"),
        ({"stopping_word": "x"}, "x"),
        ({"stop_reason": "stop"}, None),
        ({"stop_reason": 128009}, None),
        ({}, None),
    ],
)
def test_stop_sequence(choice: dict[str, Any], expected: str | None) -> None:
    assert stop_sequence(choice) == expected
