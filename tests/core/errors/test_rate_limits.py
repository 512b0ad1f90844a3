from __future__ import annotations

from typing import Any

import pytest

from claude_code_proxy.core.errors.fault import read_fault
from claude_code_proxy.core.errors.rate_limits import parse_wait, rate_headers, retry_after

NOW = 1_700_000_000.0  # 2023-11-14T22:13:20Z

WAITS: list[tuple[str, float | None]] = [
    ("7", 7.0),
    (" 7 ", 7.0),
    ("0.5", 0.5),
    ("1s", 1.0),
    ("6m0s", 360.0),
    ("120ms", 0.12),
    ("1h2m3.5s", 3723.5),
    ("1d", 86400.0),
    ("1700000030", 30.0),
    ("1700000030000", 30.0),
    ("1600000000", 0.0),
    ("2023-11-14T22:14:20Z", 60.0),
    ("2023-11-14T22:14:20", 60.0),
    ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
    ("99999999", None),
    ("soon", None),
    ("", None),
    ("-5", None),
    ("5 apples", None),
]


@pytest.mark.parametrize(("text", "seconds"), WAITS)
def test_wait(text: str, seconds: float | None) -> None:
    assert parse_wait(text, NOW) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize("text", ["1700000030", "2023-11-14T22:14:20Z"])
def test_a_moment_means_nothing_without_a_clock(text: str) -> None:
    assert parse_wait(text, 0.0) is None


def test_rate_headers() -> None:
    headers = {
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "2023-11-14T22:19:20Z",
        "x-ratelimit-limit-tokens-minute": "9000",
        "x-ratelimit-remaining-tokens": "many",
        "x-ratelimit-reset-tokens": "120ms",
        "x-request-id": "up-1",
        "request-id": "second",
    }
    assert rate_headers(headers, NOW) == {
        "anthropic-ratelimit-requests-limit": "500",
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": "2023-11-14T22:19:20Z",
        "anthropic-ratelimit-tokens-limit": "9000",
        "anthropic-ratelimit-tokens-reset": "2023-11-14T22:13:21Z",
        "x-upstream-request-id": "up-1",
    }


def test_without_a_clock_there_is_no_reset() -> None:
    assert rate_headers({"x-ratelimit-reset-tokens": "1s"}, 0.0) == {}


def test_an_id_that_could_break_a_header_is_left_out() -> None:
    assert rate_headers({"x-request-id": "a\r\nb: c"}, NOW) == {}


RETRY: list[tuple[str, dict[str, str], Any, dict[str, str]]] = [
    ("as it is", {"retry-after": "7"}, {}, {"retry-after": "7"}),
    ("above a minute", {"retry-after": "3600"}, {}, {"retry-after": "3600"}),
    ("rounded up", {"retry-after": "1.2"}, {}, {"retry-after": "2"}),
    ("a date", {"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, {}, {"retry-after": "30"}),
    ("ms", {"retry-after-ms": "1500"}, {}, {"retry-after-ms": "1500", "retry-after": "2"}),
    (
        "both",
        {"retry-after-ms": "1500", "retry-after": "9"},
        {},
        {"retry-after-ms": "1500", "retry-after": "9"},
    ),
    ("nonsense", {"retry-after": "soon", "retry-after-ms": "x"}, {}, {}),
    ("openai text", {}, {"error": {"message": "Please try again in 1.2s."}}, {"retry-after": "2"}),
    ("ms in text", {}, {"error": {"message": "try again in 800ms"}}, {"retry-after": "1"}),
    ("ms as a word", {}, {"error": {"message": "try again in 800 milliseconds"}}, {"retry-after": "1"}),
    ("minutes in text", {}, {"error": {"message": "try again in 7m12.5s."}}, {"retry-after": "433"}),
    ("azure text", {}, {"error": {"message": "Please retry after 37 seconds."}}, {"retry-after": "37"}),
    ("minute words", {}, {"error": {"message": "retry in 2 minutes"}}, {"retry-after": "120"}),
    (
        "gemini",
        {},
        [{"error": {"details": [{"x": 1}, "odd", {"retryDelay": "20.04s"}]}}],
        {"retry-after": "21"},
    ),
    (
        "openrouter",
        {},
        {"error": {"metadata": {"headers": {"X-RateLimit-Reset": "1700000012000"}}}},
        {"retry-after": "12"},
    ),
    (
        "the limit that is used up",
        {
            "x-ratelimit-reset-requests": "1s",
            "x-ratelimit-reset-tokens": "9s",
            "x-ratelimit-remaining-tokens": "0",
        },
        {},
        {"retry-after": "9"},
    ),
    (
        "no limit is used up",
        {"x-ratelimit-reset-requests": "3s", "x-ratelimit-reset-tokens": "9s"},
        {},
        {"retry-after": "3"},
    ),
]


@pytest.mark.parametrize(("name", "headers", "body", "expected"), RETRY, ids=[case[0] for case in RETRY])
def test_retry_after(name: str, headers: dict[str, str], body: Any, expected: dict[str, str]) -> None:
    assert retry_after(headers, read_fault(body), NOW) == expected
