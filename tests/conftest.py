"""Settings for all tests."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

# No deadline: machines are noisy, and a property is no benchmark. CI tries the same examples each time, so that
# it says something about the change; everyone else tries new ones.
settings.register_profile("default", deadline=None, max_examples=60, derandomize=bool(os.environ.get("CI")))
settings.load_profile("default")


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """A test may set up the server's log in this process: all is as before afterwards."""
    touched = [logging.getLogger(name) for name in ("claude_code_proxy", "uvicorn.error", "asyncio")]
    kept = [(logger, logger.handlers[:], logger.propagate, logger.level) for logger in touched]
    yield
    for logger, handlers, propagate, level in kept:
        logger.handlers[:] = handlers
        logger.propagate = propagate
        logger.setLevel(level)
