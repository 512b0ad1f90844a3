"""What the end-to-end tests share."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.e2e import npm
from tests.e2e.upstream_checks import check_received
from tests.e2e.world import World, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NEWEST = "2.1.330"
_binary = cache(npm.claude_code)


class MakeWorld(Protocol):
    """Makes a world; takes what `world` takes, and the version of Claude Code."""

    def __call__(self, version: str = NEWEST, **parts: Any) -> World: ...


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[MakeWorld]:
    """Worlds that last as long as the test; whatever reached their providers is checked at the end."""
    made: list[World] = []
    with ExitStack() as stack:

        def make(version: str = NEWEST, **parts: Any) -> World:
            folder = tmp_path / f"world{len(made)}"
            made.append(stack.enter_context(world(folder, _binary(version), **parts)))
            return made[-1]

        yield make
        for one in made:
            check_received(one)
