"""Rate limits of the upstream, in the headers Anthropic clients read.

Claude Code waits as long as `retry-after` says, in whole seconds, and gives up at once above 60.
`anthropic-ratelimit-unified-*` is never written: the client takes it for its own subscription's quota.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from claude_code_proxy.core.errors.fault import Fault
from claude_code_proxy.core.header_values import http_date, whole_number
from claude_code_proxy.core.wire import list_at, object_at, value_at

_COUNTS = {
    "requests": ("requests", "req-minute"),
    "tokens": ("tokens", "tokens-minute"),
}
REQUEST_IDS = (
    "x-request-id", "request-id", "x-generation-id", "x-ds-trace-id", "mistral-correlation-id",
    "apim-request-id",
)  # fmt: skip
"""The headers in which providers name a request, by lower-case name."""
_SAFE_ID = re.compile(r"[\w.:/+=-]{1,200}", re.ASCII)
_DURATION = re.compile(r"(\d{1,15}(?:\.\d{1,15})?)(ms|d|h|m|s)", re.ASCII)
_WHOLE_DURATION = re.compile(r"(?:\d{1,15}(?:\.\d{1,15})?(?:ms|d|h|m|s))++", re.ASCII)
_NUMBER = re.compile(r"\d{1,15}(?:\.\d{1,15})?", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_IN_TEXT = re.compile(
    r"(?:try again|retry)(?: your request)? (?:in|after) (\d{1,15}(?:\.\d{1,15})?) ?"
    r"(ms|milliseconds?|m(?:in(?:ute)?s?)?(?![a-z])|s(?:ec(?:ond)?s?)?(?![a-z]))((?:\d{1,15}(?:\.\d{1,15})?s)?)",
    re.IGNORECASE | re.ASCII,
)
_EPOCH = 1e9  # as a duration: 31 years
_EPOCH_MS = 1e12
_MAX_WAIT = 366 * 86400.0


def parse_wait(text: str, now: float) -> float | None:
    """Seconds from `now` (epoch seconds) that a header value means, or None.

    Takes `7`, `0.5`, `6m0s`, `120ms`, epoch seconds or milliseconds, RFC 3339 and HTTP dates. Absolute
    times need a clock: with `now` 0 they mean nothing.
    """
    text = text.strip()
    wait: float | None = None
    if _NUMBER.fullmatch(text):
        number = float(text)
        wait = number if number < _EPOCH else _until(number / (1000 if number >= _EPOCH_MS else 1), now)
    elif _WHOLE_DURATION.fullmatch(text):
        wait = sum(float(amount) * _SECONDS[unit] for amount, unit in _DURATION.findall(text))
    elif moment := http_date(text):
        wait = _until(moment, now)
    return wait if wait is not None and wait <= _MAX_WAIT else None


def rate_headers(headers: Mapping[str, str], now: float) -> dict[str, str]:
    """`anthropic-ratelimit-*` and `x-upstream-request-id` from an upstream's lower-case `headers`.

    Values that are not what they should be are left out. For answers and errors alike.
    """
    translated: dict[str, str] = {}
    for name, aliases in _COUNTS.items():
        for field in ("limit", "remaining"):
            value = _first(headers, (f"x-ratelimit-{field}-{alias}" for alias in aliases))
            if whole_number(value) is not None:
                translated[f"anthropic-ratelimit-{name}-{field}"] = value
        reset = _first(headers, (f"x-ratelimit-reset-{alias}" for alias in aliases))
        wait = parse_wait(reset, now) if now else None
        if wait is not None:
            moment = datetime.fromtimestamp(math.ceil(now + wait), UTC)
            translated[f"anthropic-ratelimit-{name}-reset"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    upstream_id = _first(headers, REQUEST_IDS)
    if _SAFE_ID.fullmatch(upstream_id):
        translated["x-upstream-request-id"] = upstream_id
    return translated


def retry_after(headers: Mapping[str, str], fault: Fault, now: float) -> dict[str, str]:
    """`retry-after` in whole seconds, and `retry-after-ms` where the upstream sent it; else nothing.

    Where the headers do not say, the body does: Gemini's `retryDelay`, "try again in 1.2s", or the reset of
    the limit that is used up.
    """
    result: dict[str, str] = {}
    milliseconds = headers.get("retry-after-ms", "").strip()
    if _NUMBER.fullmatch(milliseconds):
        result["retry-after-ms"] = milliseconds
    wait = parse_wait(headers.get("retry-after", ""), now)
    if wait is None and result:
        wait = float(milliseconds) / 1000
    if wait is None:
        wait = wait_in_body(fault, now)
    if wait is None:
        wait = _wait_until_reset(headers, now)
    if wait is not None:
        result["retry-after"] = str(math.ceil(wait))
    return result


def wait_in_body(fault: Fault, now: float) -> float | None:
    """How many seconds the body of an error says to wait, or None."""
    for item in list_at(fault.fields, "details"):
        delay = value_at(item, "retryDelay")
        if isinstance(delay, str) and (wait := parse_wait(delay, now)) is not None:
            return wait
    if found := _IN_TEXT.search(fault.message):
        amount, unit, rest = float(found.group(1)), found.group(2).lower(), found.group(3)
        scale = 0.001 if unit.startswith(("ms", "mil")) else 60.0 if unit.startswith("m") else 1.0
        return amount * scale + (parse_wait(rest.lower(), now) or 0.0)
    nested = _headers_in_body(fault.fields)
    return _wait_until_reset(nested, now)


def plan_reset(fault: Fault, now: float) -> float | None:
    """When a plan that is used up is good again, in epoch seconds; None where the body does not say.

    Codex says `resets_at`, or how many seconds from `now`; with `now` 0 the latter means nothing.
    """
    for name, start in (("resets_at", 0.0), ("resets_in_seconds", now or math.nan)):
        value = fault.fields.get(name)
        if isinstance(value, int | float) and 0 < value < _EPOCH_MS and start + value < _EPOCH_MS:
            return start + value
    return None


def _headers_in_body(fields: Mapping[str, Any]) -> dict[str, str]:
    """OpenRouter puts the headers of the provider behind it into `metadata.headers`."""
    headers = object_at(fields, "metadata", "headers")
    return {str(key).lower(): str(value) for key, value in headers.items()}


def _wait_until_reset(headers: Mapping[str, str], now: float) -> float | None:
    """The longest reset of a limit that is used up, else the shortest reset there is."""
    waits: list[float] = []
    used_up: list[float] = []
    for suffix in ("", "-requests", "-tokens"):
        wait = parse_wait(headers.get(f"x-ratelimit-reset{suffix}", ""), now)
        if wait is not None:
            waits.append(wait)
            if headers.get(f"x-ratelimit-remaining{suffix}") == "0":
                used_up.append(wait)
    return max(used_up) if used_up else min(waits, default=None)


def _first(headers: Mapping[str, str], names: Iterable[str]) -> str:
    return next((headers[name].strip() for name in names if name in headers), "")


def _until(moment: float, now: float) -> float | None:
    return max(0.0, moment - now) if now else None
