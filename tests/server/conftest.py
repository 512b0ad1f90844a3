"""What the tests of the server share."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def loggers() -> Iterator[None]:
    """For tests that set up the server's log in this process: all is as before afterwards."""
    touched = [logging.getLogger(name) for name in ("claude_code_proxy", "uvicorn.error", "asyncio")]
    kept = [(logger, logger.handlers[:], logger.propagate, logger.level) for logger in touched]
    yield
    for logger, handlers, propagate, level in kept:
        logger.handlers[:] = handlers
        logger.propagate = propagate
        logger.setLevel(level)
