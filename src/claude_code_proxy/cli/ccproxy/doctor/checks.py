"""What a check of `ccproxy doctor` found."""

from __future__ import annotations

from typing import Literal, NamedTuple

State = Literal["ok", "warn", "fail", "skip"]
OK: State = "ok"
WARN: State = "warn"
FAIL: State = "fail"
SKIP: State = "skip"


class Check(NamedTuple):
    """One thing that was looked at; `fix` says what to do about it."""

    name: str
    state: State
    detail: str
    fix: str = ""
