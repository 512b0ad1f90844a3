"""The status line of a session, on the real Claude Code's screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e import versions
from tests.e2e.test_claude_code_launcher import PRIVATE, interactive, settled_home
from tests.e2e.world import MODEL

if TYPE_CHECKING:
    from tests.e2e.conftest import MakeWorld

pytestmark = pytest.mark.real_client


@pytest.mark.parametrize("version", [versions.NEWEST, versions.OLDEST])
def test_it_is_shown(make_world: MakeWorld, version: str) -> None:
    world = make_world(version, launcher=PRIVATE)
    settled_home(world)
    terminal = interactive(world, "ccproxy")
    try:
        terminal.wait_for("demo · ")  # before the first answer: the provider's name in cc-proxy.json
        terminal.settle()
        terminal.submit("say it streams well")
        terminal.wait_for("● it streams well")
        terminal.wait_for(f"custom · {MODEL}")
    finally:
        terminal.close()
