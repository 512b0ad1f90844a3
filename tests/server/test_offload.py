"""What is large, or turns out to be slow, leaves the event loop."""

from __future__ import annotations

import threading

import pytest

from claude_code_proxy.server.offload import LARGE, TooSlowError, offload, on_the_loop


def where() -> int:
    return threading.get_ident()


def slow() -> int:
    if on_the_loop():
        raise TooSlowError
    return where()


@pytest.mark.parametrize(
    ("size", "work", "here"), [(LARGE - 1, where, True), (LARGE, where, False), (0, slow, False)]
)
async def test_where_it_runs(size: int, work: object, here: bool) -> None:
    assert callable(work)
    assert (await offload(size, work) == where()) is here


async def test_what_it_raises_arrives() -> None:
    with pytest.raises(ZeroDivisionError):
        await offload(0, divmod, 1, 0)
