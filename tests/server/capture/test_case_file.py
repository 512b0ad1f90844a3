"""Captured cases: each as it came, whole, byte by byte and cut at random (`claude-code-proxy capture to-case`)."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.server.capture.case_file import case_of, outcome
from tests.core import cases

if TYPE_CHECKING:
    from claude_code_proxy.server.capture.recorded_upstream import Cut

SETTINGS = ServerSettings(models=Path("none.yaml"))


def at_random(seed: int) -> Cut:
    def cut(data: bytes) -> list[bytes]:
        pick = random.Random(seed)
        at = sorted(pick.choices(range(len(data) + 1), k=pick.randrange(1, 20)))
        return [data[start:end] for start, end in zip([0, *at], [*at, len(data)], strict=True)]

    return cut


CUTS: dict[str, Cut | None] = {
    "as it came": None,
    "whole": lambda data: [data],
    "byte by byte": lambda data: [data[at : at + 1] for at in range(len(data))],
    **{f"at random {seed}": at_random(seed) for seed in range(3)},
}


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("path", cases.case_files("captured"), ids=lambda path: path.stem)
async def test_case(path: Path, cut: Cut | None) -> None:
    case = cases.load(path)
    assert await outcome(case, SETTINGS, cut) == case["expected"]


async def test_a_case_makes_itself() -> None:
    case = cases.load(cases.case_files("captured")[0])
    assert await case_of(case, SETTINGS) == {**case, "why": ""}
    broken: Any = {**case, "models": [{**case["models"][0], "profile": {"max_tokens_field": "omit"}}]}
    assert await outcome(broken, SETTINGS) != case["expected"]
