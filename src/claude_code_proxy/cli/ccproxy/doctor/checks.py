"""What a check of `ccproxy doctor` found."""

from __future__ import annotations

from typing import Literal, NamedTuple

State = Literal["ok", "warn", "fail", "skip"]
OK: State = "ok"
WARN: State = "warn"
FAIL: State = "fail"
SKIP: State = "skip"


class Check(NamedTuple):
    """One thing that was looked at; `mend` says what to do where it is not in order."""

    name: str
    state: State
    detail: str
    mend: str = ""
