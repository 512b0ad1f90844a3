"""Every behaviour through the real server, over sockets, in both directions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.conformance import behaviour, own_gateway, scripted_upstream
from claude_code_proxy.conformance.requester import Target, run

if TYPE_CHECKING:
    from claude_code_proxy.conformance.behaviour import Case
    from claude_code_proxy.conformance.requester import Result

BEHAVIOURS = behaviour.load()
CASES = behaviour.cases(BEHAVIOURS)


async def ask_all() -> list[Result]:
    async with (
        scripted_upstream.serving(BEHAVIOURS) as address,
        own_gateway.own_proxy(address, "conformance") as base_url,
    ):
        target = Target(base_url=base_url, model="conformance", key="sk-conformance", limit=30.0)
        return await run(CASES, target, jobs=16)


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    """All of them at once: most of their time is waiting for upstreams that are silent."""
    return {result.case.name: result for result in asyncio.run(ask_all())}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_behaviour(case: Case, results: dict[str, Result]) -> None:
    judgement = results[case.name].judgement
    assert judgement.verdict == "ok", judgement.because
