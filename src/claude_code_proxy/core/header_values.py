"""Values of HTTP headers that others wrote: read by their grammar, whatever they hold."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_MOST_DIGITS = 15


def whole_number(text: str) -> int | None:
    """The number of a text of ASCII digits (RFC 9110 1*DIGIT), None for any other; of 15 digits at most."""
    digits = text.strip(" \t")
    return int(digits) if len(digits) <= _MOST_DIGITS and digits.isascii() and digits.isdigit() else None


def listed(value: str) -> list[str]:
    """The members of a comma list in lower case, without empty ones (RFC 9110 5.6.1)."""
    return [member for part in value.split(",") if (member := part.strip(" \t").lower())]


def retry_delay(value: str, now: float = 0.0) -> float:
    """Seconds that a `Retry-After` asks to wait: a number, or a date where `now` says what time it is.

    0 without one, and for what is neither.
    """
    number = whole_number(value)
    if number is not None:
        return float(number)
    moment = http_date(value) if now else None
    return max(0.0, moment - now) if moment is not None else 0.0


def http_date(text: str) -> float | None:
    """Epoch seconds of an RFC 3339 or HTTP date; a time without zone is UTC."""
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = parse(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            continue
    return None
