"""Requests of the real client that rules send to other models, by the class that it names itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e import versions
from tests.e2e.processes import wait_until
from tests.e2e.test_claude_code_launcher import PRIVATE, interactive, settled_home

if TYPE_CHECKING:
    from tests.e2e.conftest import MakeWorld

pytestmark = pytest.mark.real_client

ROUTES = {"title": "demo-title", "subagent": "demo-small"}


@pytest.mark.parametrize("version", versions.ALL)
def test_a_subagent_has_a_model_of_its_own(make_world: MakeWorld, version: str) -> None:
    world = make_world(version, launcher={**PRIVATE, "routes": ROUTES})
    world.ask("explore: run: echo explored-$((40+2))")
    agents = [request for request in world.turns if "Agent" not in request.tools]
    assert {request.body["model"] for request in agents} == {"demo-small"}
    assert {r.body["model"] for r in world.turns if r not in agents} == {"demo-reason"}
    assert not any("claude" in name.lower() for request in world.received for name in request.headers)


def test_a_title_has_a_model_of_its_own(make_world: MakeWorld) -> None:
    world = make_world(launcher={**PRIVATE, "routes": ROUTES})
    settled_home(world)
    terminal = interactive(world, "ccproxy")
    try:
        terminal.wait_for("shift+tab to cycle")
        terminal.settle()
        terminal.submit("say it streams well")
        terminal.wait_for("● it streams well")
        wait_until(lambda: len(world.received) > 1, what="the title is asked for")
    finally:
        terminal.close()
    assert {request.body["model"] for request in world.turns} == {"demo-reason"}
    titles = [request for request in world.received if request not in world.turns and request.body]
    assert {request.body["model"] for request in titles} == {"demo-title"}
