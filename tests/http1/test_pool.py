"""Turns at connections, when two things happen at once."""

from __future__ import annotations

import asyncio

import pytest

from claude_code_proxy.http1 import ConnectTimeoutError, Options
from claude_code_proxy.http1.address import locate
from claude_code_proxy.http1.pool import Pool

ORIGIN = locate("http://a.example", None).origin


async def test_turns_are_given_in_order_and_none_is_lost() -> None:
    pool = Pool(Options(connections=1))
    came: list[int] = []

    async def wait(number: int, seconds: float = 5.0) -> None:
        await pool.wait(ORIGIN, seconds)
        came.append(number)

    assert pool.take_turn(ORIGIN)
    assert not pool.take_turn(ORIGIN)
    gone, unlucky, first, second = [asyncio.create_task(wait(number)) for number in range(4)]
    late = asyncio.create_task(wait(4, 0.01))
    await asyncio.sleep(0)
    gone.cancel()  # and is still in the queue
    pool.leave(ORIGIN)
    unlucky.cancel()  # its turn has come, but it does not know yet
    assert not pool.take_turn(ORIGIN), "nobody comes before those who wait"
    with pytest.raises(ConnectTimeoutError, match="all 1 connections"):
        await late
    assert came == [2]
    pool.leave(ORIGIN)
    await asyncio.gather(first, second)
    assert came == [2, 3]
    assert gone.cancelled()
    assert unlucky.cancelled()
    pool.leave(ORIGIN)
    assert pool.take_turn(ORIGIN), "all turns came back"
    assert not pool._waiting[ORIGIN]
