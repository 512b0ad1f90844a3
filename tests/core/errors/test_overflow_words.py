"""Overflow in any wording: real bodies and free wordings as data, and every combination of a small grammar."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from claude_code_proxy.core.errors.context import ErrorContext
from claude_code_proxy.core.errors.overflow_numbers import Counts
from claude_code_proxy.core.errors.overflow_words import read_overflow
from claude_code_proxy.core.errors.upstream import payload_error, read_error
from claude_code_proxy.core.providers.profile import Profile
from tests.core.cases import CASES, load

WORDINGS: list[dict[str, Any]] = load(CASES / "error" / "table_wordings.json")["cases"]


def name(case: dict[str, Any]) -> str:
    return f"{case['from']}: {case['message'][:60]}"


FORMATS = ("{:d}", "{:,d}", "{:_d}", "{:d} tokens", "{:,d} tokens")


@pytest.mark.parametrize("case", WORDINGS, ids=name)
def test_wording(case: dict[str, Any]) -> None:
    counts = case["counts"]
    assert read_overflow(case["message"]) == (None if counts is None else Counts(*counts))


@pytest.mark.parametrize("case", [case for case in WORDINGS if case["counts"]], ids=name)
@pytest.mark.parametrize("status", [400, 413, 422, 500, 502])
def test_claude_code_compacts_whatever_the_status(case: dict[str, Any], status: int) -> None:
    body = {"error": {"message": case["message"]}}
    error = read_error(status, {}, body, ErrorContext(input_tokens=300_000))
    assert (error.status, error.type) == (400, "invalid_request_error")
    assert error.message.startswith(("prompt is too long: ", "input length and `max_tokens` exceed context"))
    first_event = payload_error(body, ErrorContext(input_tokens=300_000))
    assert first_event is not None
    assert first_event.message == error.message


@pytest.mark.parametrize(
    ("subject", "excess"),
    list(
        product(
            (
                "The prompt",
                "Your input",
                "The conversation",
                "Number of input tokens",
                "The length of the messages",
                "Request tokens",
                "The chat history",
                "Prompt token count",
            ),
            (
                "exceeds",
                "is longer than",
                "is larger than",
                "is greater than",
                "has exceeded",
                "must not exceed",
                "surpasses",
                "is more than",
                "is over",
                "must be less than",
            ),
        )
    ),
)
def test_subject_and_excess(subject: str, excess: str) -> None:
    objects = (
        "the maximum context length of {}",
        "the model's context window ({})",
        "the limit of {}",
        "the maximum number of tokens allowed ({})",
        "the maximum input length {}",
        "max_seq_len {}",
    )
    for limit, style in product(objects, FORMATS):
        prompt_text, limit_text = style.format(140_211), style.format(131_072)
        bounded = limit.format(limit_text)
        for text in (
            f"{subject} ({prompt_text}) {excess} {bounded}.",
            f"Error: {subject} {excess} {bounded}: got {prompt_text}",
            f"{subject} {excess} {bounded}. You requested {prompt_text}.",
        ):
            assert read_overflow(text) == Counts(140_211, 0, 131_072, 0), text


@pytest.mark.parametrize(
    ("subject", "excess"),
    list(
        product(
            (
                "The tool description",
                "Function name",
                "Number of tools",
                "Number of images in the prompt",
                "The number of stop sequences",
                "max_tokens",
                "The requested completion",
                "The number of output tokens",
                "The file size",
                "tools[0].function.name",
                "The JSON schema nesting depth",
                "The metadata key",
            ),
            (
                "exceeds",
                "is longer than",
                "is greater than",
                "must not exceed",
                "must be less than",
                "is over",
            ),
        )
    ),
)
def test_another_subject_is_another_failure(subject: str, excess: str) -> None:
    for limit, style in product(
        ("the maximum of {}", "the limit of {}", "the maximum length {}"), FORMATS[:3]
    ):
        text = f"{subject} ({style.format(9000)}) {excess} {limit.format(style.format(8192))}."
        assert read_overflow(text) is None, text


@pytest.mark.parametrize(
    "text",
    [
        "Limit of {} tokens per minute exceeded by your input of {} tokens",
        "Rate limit: the prompt exceeds {} TPM, requested {}",
        "Your daily input token limit of {} is exceeded, used {}",
    ],
)
def test_a_rate_is_another_failure(text: str) -> None:
    assert read_overflow(text.format(8192, 9000)) is None


@pytest.mark.parametrize(
    ("overflow", "estimate", "window", "expected"),
    [
        ("prompt too long; exceeded max context length by 904 tokens", 4500, 4096, "5000 tokens > 4096"),
        ("prompt too long; exceeded max context length by 904 tokens", 5000, None, "5000 tokens > 4096"),
        ("prompt too long; exceeded max context length by 904 tokens", 100, None, "100 tokens > 99"),
        (
            "too many tokens: limit exceeded by 10 tokens. The limit is 4096 tokens",
            9,
            50,
            "4106 tokens > 4096",
        ),
    ],
)
def test_a_difference_gives_both_numbers(
    overflow: str, estimate: int, window: int | None, expected: str
) -> None:
    context = ErrorContext(profile=replace(Profile(), context_window=window), input_tokens=estimate)
    error = read_error(400, {}, {"error": {"message": overflow}}, context)
    assert error.message == f"prompt is too long: {expected} maximum"


def test_a_number_that_is_the_error_code_is_no_limit() -> None:
    body = {"error": {"message": "context window exceeds limit (5021)", "code": 5021}}
    error = read_error(400, {}, body, ErrorContext(input_tokens=300_000))
    assert error.message == "prompt is too long: 300000 tokens > 299999 maximum"


@pytest.mark.parametrize(
    ("param", "overflow"), [("input", True), ("messages[1].content", True), ("tools", False)]
)
def test_a_string_that_is_too_long_is_the_prompt_only_where_it_is_named(param: str, overflow: bool) -> None:
    error = {
        "message": f"Invalid '{param}': string too long",
        "code": "string_above_max_length",
        "param": param,
    }
    found = read_error(400, {}, {"error": error}, ErrorContext(input_tokens=300_000))
    assert found.message.startswith("prompt is too long") is overflow
