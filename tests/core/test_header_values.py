from __future__ import annotations

import pytest

from claude_code_proxy.core.header_values import listed, retry_delay, whole_number

NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0), (" 17 ", 17), ("007", 7), ("9" * 15, int("9" * 15)), ("9" * 16, None), ("9" * 5000, None), ("", None), ("-1", None), ("+1", None),
        ("1.5", None), ("1e3", None), ("\u00b2", None), ("\u0663", None), ("1_000", None), ("0x1", None), ("1\n", None), ("\u00a01", None),
    ],
)  # fmt: skip
def test_whole_number(text: str, number: int | None) -> None:
    assert whole_number(text) == number


@pytest.mark.parametrize(
    ("value", "now", "seconds"),
    [
        ("7", 0.0, 7.0), ("", 0.0, 0.0), ("\u00b2", 0.0, 0.0), ("9" * 400, 0.0, 0.0), ("soon", NOW, 0.0), ("-5", NOW, 0.0),
        ("Mon, 21 Sep 2026 14:13:30 GMT", NOW, 10.0), ("Mon, 21 Sep 2026 14:13:10 GMT", NOW, 0.0), ("2026-09-21T14:13:30Z", NOW, 10.0),
        ("Mon, 21 Sep 2026 14:13:30 GMT", 0.0, 0.0), ("Mon, 99 Sep 99999 14:13:30 GMT", NOW, 0.0), ("Mon, 21 Sep 99999999999 14:13:30 GMT", NOW, 0.0),
    ],
)  # fmt: skip
def test_retry_delay(value: str, now: float, seconds: float) -> None:
    assert retry_delay(value, now) == seconds


def test_listed() -> None:
    assert listed(" GZip ,, identity,\tbr ") == ["gzip", "identity", "br"]
    assert listed("") == []
