from __future__ import annotations

import json
import time
from typing import Any

import pytest

from claude_code_proxy.core.errors.api import ERROR_TYPES, ApiError
from claude_code_proxy.core.errors.context import ErrorContext
from claude_code_proxy.core.errors.upstream import (
    TransportKind,
    mid_stream,
    payload_error,
    read_error,
    transport_error,
)
from claude_code_proxy.core.providers.profile import Profile
from tests.core.cases import CASES, load, matches, profile_of

NOW = 1_700_000_000.0
VECTORS = [
    path
    for path in sorted((CASES / "error").glob("*.json"))
    if not path.stem.startswith("table_")
    and path.stem not in ("payloads", "corrections", "lessons", "headers")
]


def table(name: str) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in load(CASES / "error" / f"{name}.json")["cases"]]


def raw_body(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
@pytest.mark.parametrize("as_bytes", [True, False], ids=["bytes", "parsed"])
def test_vector(path: Any, as_bytes: bool) -> None:
    case = load(path)
    upstream, expected = case["upstream"], case["expected"]
    body = raw_body(upstream["body"]) if as_bytes else upstream["body"]
    error = read_error(
        upstream["status"],
        upstream["headers"],
        body,
        ErrorContext(profile=profile_of(case), model="m"),
        now=NOW,
    )
    assert error.status == expected["status"]
    matches(expected["body"], error.envelope("req_1"))
    assert expected["headers"].items() <= error.headers.items()


@pytest.mark.parametrize("case", table("table_overflow") + table("table_status"))
def test_table(case: dict[str, Any]) -> None:
    upstream, expected = case["upstream"], case["expected"]
    options = {key: case[key] for key in ("input_tokens", "max_tokens", "api_base", "secret") if key in case}
    error = read_error(
        upstream["status"],
        upstream["headers"],
        raw_body(upstream["body"]),
        ErrorContext(profile=Profile(**case["profile"]), model="the-model", **options),
        now=NOW,
    )
    assert (error.status, error.type, error.message) == (
        expected["status"],
        expected["type"],
        expected["message"],
    )
    assert error.headers == expected["headers"]
    assert error.type in ERROR_TYPES


@pytest.mark.parametrize("case", table("payloads"))
def test_payload(case: dict[str, Any]) -> None:
    error = payload_error(case["payload"], ErrorContext(model="m", input_tokens=case.get("input_tokens", 0)))
    found = None if error is None else [error.status, error.type, error.message]
    assert found == case["expected"]


@pytest.mark.parametrize(("status", "retryable"), [(502, True), (503, True), (504, True), (500, False)])
def test_what_the_proxy_may_try_again(status: int, retryable: bool) -> None:
    error = read_error(status, {}, b"", ErrorContext(model="m"), now=NOW)
    assert error.retryable is retryable


def test_a_503_that_means_an_empty_account_is_not_tried_again() -> None:
    body = {"error": {"message": "x", "code": "insufficient_quota"}}
    assert read_error(503, {}, body, ErrorContext(model="m"), now=NOW).retryable is False


def test_messages_are_at_most_2_kilobytes_and_whole_characters() -> None:
    body = {"error": {"message": "\u00e9" * 5000}}
    message = read_error(500, {}, body, ErrorContext(model="m"), now=NOW).message
    assert len(message.encode()) <= 2048
    assert message == "\u00e9" * 1022 + "..."


def test_raw_text_is_at_most_500_characters_and_bytes_may_be_broken() -> None:
    error = read_error(500, {}, b"\xff" + b"x" * 9000, ErrorContext(model="m"), now=NOW)
    assert error.message == "\ufffd" + "x" * 499


def test_a_short_secret_does_not_blank_out_the_message() -> None:
    body = {"error": {"message": "the key is bad"}}
    error = read_error(400, {}, body, ErrorContext(model="m", secret="key"), now=NOW)
    assert error.message == "the key is bad"


def test_no_part_of_a_key_stays_where_a_long_text_is_cut() -> None:
    body = b"x" * 490 + b"MARKED-SECRET-1234567890"
    error = read_error(400, {}, body, ErrorContext(model="m", secret="MARKED-SECRET-1234567890"), now=NOW)
    assert error.message == "x" * 490 + "[key]"


def test_a_long_message_full_of_limits_is_searched_quickly() -> None:
    body = {"error": {"message": "maximum context length is 5 tokens (5 of text input, 5 " * 100_000}}
    started = time.perf_counter()
    read_error(400, {}, body, ErrorContext(model="m"), now=NOW)
    assert time.perf_counter() - started < 3


MID_STREAM = [
    (ApiError(429, "rate_limit_error", "m", headers={"retry-after": "7"}), 529, "overloaded_error"),
    (ApiError(529, "overloaded_error", "m"), 529, "overloaded_error"),
    (ApiError(429, "rate_limit_error", "m", headers={"x-should-retry": "false"}), 429, "rate_limit_error"),
    (ApiError(400, "invalid_request_error", "m"), 400, "invalid_request_error"),
    (ApiError(504, "timeout_error", "m"), 504, "timeout_error"),
]


@pytest.mark.parametrize(("error", "status", "error_type"), MID_STREAM)
def test_mid_stream(error: ApiError, status: int, error_type: str) -> None:
    after = mid_stream(error)
    assert (after.status, after.type, after.message) == (status, error_type, "m")
    assert after.headers == error.headers


TRANSPORT: list[tuple[TransportKind, int, str, bool, str]] = [
    ("connect", 502, "api_error", True, "cannot connect to"),
    ("dns", 502, "api_error", True, "cannot find the host"),
    ("tls", 502, "api_error", False, "no secure connection"),
    ("reset", 502, "api_error", True, "reset"),
    ("cut", 502, "api_error", True, "cut off"),
    ("timeout_connect", 504, "timeout_error", True, "no connection in time"),
    ("timeout_first_byte", 504, "timeout_error", False, "no response in time"),
    ("timeout_idle", 504, "timeout_error", False, "stalled"),
]


@pytest.mark.parametrize(("kind", "status", "error_type", "retryable", "words"), TRANSPORT)
def test_transport(kind: TransportKind, status: int, error_type: str, retryable: bool, words: str) -> None:
    error = transport_error(
        kind, "said sk-abcdefghijklmnop", api_base="https://me:pw@up.example/v1?token=t#f"
    )
    assert (error.status, error.type, error.retryable) == (status, error_type, retryable)
    assert words in error.message
    assert "the upstream https://up.example/v1 (said [key]): " in error.message
    assert (error.headers == {"x-should-retry": "false"}) is (kind == "tls")


def test_transport_without_detail() -> None:
    error = transport_error("reset", "", api_base="http://h/v1")
    assert "http://h/v1: " in error.message


USED_UP = {"type": "usage_limit_reached", "message": "The usage limit has been reached", "plan_type": "plus"}


@pytest.mark.parametrize(
    ("fields", "now", "told", "wait"),
    [
        ({"resets_at": 1_800_000_000}, 1_799_999_000.5, " (until 2027-01-15 08:00 UTC)", "1000"),
        (
            {"resets_at": 1_800_000_000, "resets_in_seconds": 5},
            1_799_999_000,
            " (until 2027-01-15 08:00 UTC)",
            "1000",
        ),
        ({"resets_in_seconds": 1000}, 1_799_999_000, " (until 2027-01-15 08:00 UTC)", "1000"),
        ({"resets_at": 1_800_000_000}, 1_900_000_000, " (until 2027-01-15 08:00 UTC)", "0"),
        ({"resets_at": 1_800_000_000}, 0, " (until 2027-01-15 08:00 UTC)", None),
        ({"resets_in_seconds": 1}, 1_799_999_999, " (until 2027-01-15 08:00 UTC)", "1"),
        ({"resets_in_seconds": 1000}, 0, "", None),
        ({"resets_at": "soon", "resets_in_seconds": -1}, 1_799_999_000, "", None),
        ({"resets_at": 1e300}, 1_799_999_000, "", None),
        ({}, 1_799_999_000, "", None),
    ],
)
def test_a_plan_that_is_used_up_says_until_when(
    fields: dict[str, Any], now: float, told: str, wait: str | None
) -> None:
    context = ErrorContext(profile=Profile(name="codex"), model="m")
    error = read_error(429, {}, {"error": USED_UP | fields}, context, now=now)
    assert (error.status, error.type) == (429, "rate_limit_error")
    assert error.message == f"codex: The usage limit has been reached{told}"
    assert error.headers.get("retry-after") == wait
    assert error.headers["x-should-retry"] == "false"


def test_a_plan_that_is_used_up_within_a_stream() -> None:
    context = ErrorContext(profile=Profile(name="codex"), model="m")
    error = payload_error({"type": "error", "error": USED_UP | {"resets_at": 1_800_000_000}}, context)
    assert error is not None
    assert error.message.endswith("(until 2027-01-15 08:00 UTC)")


@pytest.mark.parametrize("piece", ["MARKED-SECRET-12", "MARKED-SECRET-1234567890 ", "<b", "x "])
@pytest.mark.parametrize("form", ["%s", '{"error": {"message": "%s"}}'])
def test_a_large_refusal_is_read_quickly(piece: str, form: str) -> None:
    body = (form % (piece * ((1 << 20) // len(piece)))).encode()
    started = time.thread_time()
    error = read_error(400, {}, body, ErrorContext(model="m", secret="MARKED-SECRET-1234567890"), now=NOW)
    assert time.thread_time() - started < 0.15
    assert "SECRET" not in error.message
