"""The reaction to each failure: real bodies as data, and every combination of a small grammar."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from claude_code_proxy.core.errors import kinds
from claude_code_proxy.core.errors.context import ErrorContext
from claude_code_proxy.core.errors.fault import read_fault
from claude_code_proxy.core.errors.upstream import read_error
from tests.core.cases import CASES, load

FAILURES = [
    pytest.param(case, id=f"{case['status']} {case['message'][:60]}")
    for case in load(CASES / "error" / "table_failures.json")["cases"]
]


def kind_of(status: int, message: str, **fields: Any) -> str:
    return kinds.classify(status, read_fault({"error": {"message": message, **fields}})).name


@pytest.mark.parametrize("case", FAILURES)
def test_failure(case: dict[str, Any]) -> None:
    assert kind_of(case["status"], case["message"]) == case["kind"]


@pytest.mark.parametrize("status", [400, 403, 429, 500])
@pytest.mark.parametrize(
    ("what", "state"),
    list(
        product(
            ("Your credit balance", "The account balance", "Your prepaid credits"),
            ("is exhausted", "is insufficient", "is too low", "is empty", "has run out", "is depleted"),
        )
    ),
)
def test_spent_credit_is_not_tried_again(status: int, what: str, state: str) -> None:
    error = read_error(status, {}, {"error": {"message": f"{what} {state}."}}, ErrorContext())
    assert (error.status, error.type) == (402, "billing_error")
    assert error.headers["x-should-retry"] == "false"
    assert not error.retryable


@pytest.mark.parametrize("status", [400, 403, 429])
@pytest.mark.parametrize(
    ("period", "limit", "state"),
    list(
        product(
            ("monthly", "weekly", "5-hour", "usage", "plan's"),
            ("limit", "quota", "cap", "allowance"),
            ("is exhausted", "has been reached", "exceeded", "is used up"),
        )
    ),
)
def test_a_plan_that_is_used_up_is_not_tried_again(status: int, period: str, limit: str, state: str) -> None:
    error = read_error(status, {}, {"error": {"message": f"Your {period} {limit} {state}."}}, ErrorContext())
    assert (error.status, error.type) == (429, "rate_limit_error")
    assert error.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    "code", ["billing_not_active", "insufficient_quota", "Arrearage", "payment_required"]
)
def test_a_code_says_it_alone(code: str) -> None:
    assert kind_of(429, "no", code=code) == "billing"


@pytest.mark.parametrize(
    ("status", "message", "again"),
    [
        (500, "llama runner process has terminated", True),
        (400, "Failed to call a function", True),
        (500, "model requires more system memory (8 GiB) than is available (4 GiB)", False),
        (400, "no", False),
    ],
)
def test_what_is_sent_once_more(status: int, message: str, again: bool) -> None:
    error = read_error(status, {}, {"error": {"message": message}}, ErrorContext())
    assert error.retryable is again
    if again:
        assert "x-should-retry" not in error.headers


def test_a_missing_ability_says_what_to_do_and_blames_no_address() -> None:
    body = {"error": {"message": "No endpoints found that support tool use.", "code": 404}}
    error = read_error(404, {}, body, ErrorContext(api_base="https://up.example/v1"))
    assert (error.status, error.headers["x-should-retry"]) == (400, "false")
    assert "choose another model" in error.message
    assert "api_base" not in error.message


def test_a_text_full_of_words_of_one_rule_is_read_quickly() -> None:
    for text in ("memory available requires ", "usage limit ", "no credits "):
        assert kind_of(400, text * 100_000)
