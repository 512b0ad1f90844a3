"""A short share of `make soak`."""

from __future__ import annotations

import sys

import pytest

from tests.soak.soaking import soak


@pytest.mark.skipif(sys.platform != "linux", reason="what a process holds is read in /proc")
async def test_it_adds_up_and_nothing_grows() -> None:
    outcome = await soak(6, "share")
    assert {"answered", "failed", "refused", "unread", "cancelled"} <= set(outcome.ledger)
