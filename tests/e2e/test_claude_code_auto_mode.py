"""The real client in auto mode: the proxy has a model judge each tool call, and fails closed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.core.auto_mode.policy import POLICY
from tests.e2e import versions
from tests.e2e.test_claude_code_launcher import PRIVATE
from tests.replies import json_reply

if TYPE_CHECKING:
    from claude_code_proxy.demo.replies import Reply
    from tests.e2e.conftest import MakeWorld
    from tests.e2e.world import Received, World

pytestmark = pytest.mark.real_client

JUDGE = {**PRIVATE, "small_model": "demo-small"}
WITH_SERVER = [version for version in versions.ALL if int(version.split(".")[-1]) >= 278]
"""Those that ask the server (2.1.278 and later)."""
SESSION = "You guard a coding agent"


def verdict(text: str, contains: str = SESSION) -> Reply:
    answer = {
        "id": "v",
        "object": "chat.completion",
        "created": 1,
        "model": "demo-small",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 900, "completion_tokens": 5, "total_tokens": 905},
    }
    return json_reply(200, answer, contains=contains)


def prepared(world: World) -> World:
    world.permissions = ("--permission-mode", "auto")
    (world.work / "CLAUDE.md").write_text("Never touch production.\n")
    (world.work / "made.py").write_text("print('mark-' + str(6 * 7)); open('ran.txt', 'w').close()\n")
    return world


def judged(world: World) -> list[Received]:
    return [request for request in world.received if SESSION in request.text]


@pytest.mark.parametrize("version", WITH_SERVER)
def test_a_harmless_command_runs(make_world: MakeWorld, version: str) -> None:
    world = prepared(make_world(version, launcher=JUDGE, script=[verdict("ALLOW 1")]))
    run = world.ask("run: python3 made.py")
    assert run.output.strip() == "Bash returned:\nmark-42"
    (asked,) = judged(world)
    assert asked.body["model"] == "demo-small"
    told, question = [message["content"] for message in asked.body["messages"]]
    assert told.startswith(POLICY)
    assert "Never touch production." in told
    assert '{"user":"run: python3 made.py"}' in question
    assert '1. {"call":"Bash","input":{"command":"python3 made.py"' in question
    assert not asked.tools
    assert len(world.turns) == 2


@pytest.mark.parametrize("version", WITH_SERVER)
def test_a_dangerous_command_does_not(make_world: MakeWorld, version: str) -> None:
    script = [verdict("BLOCK 1: it starts what nobody asked for")]
    world = prepared(make_world(version, launcher=JUDGE, script=script))
    run = world.ask("run: python3 made.py")
    assert "it starts what nobody asked for" in run.output
    assert not (world.work / "ran.txt").exists()


@pytest.mark.parametrize(
    ("judge", "reason"),
    [
        ({}, "gave no verdict that can be read"),  # the demo's model knows no verdicts
        ({"safety_model": "nobody/m"}, "cannot be asked"),
    ],
)
def test_nobody_who_judges(make_world: MakeWorld, judge: dict[str, str], reason: str) -> None:
    world = prepared(make_world(launcher={**PRIVATE, **judge, "default": True}))
    path = world.home / ".config/llm/cc-proxy.json"
    nobody = {"base_url": "http://127.0.0.1:1/v1", "auth_key": world.key, "model": "m", "format": "openai"}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"nobody": nobody}))
    run = world.ask("run: python3 made.py")
    assert reason in run.output, run
    assert not (world.work / "ran.txt").exists()


def test_the_client_judges_by_itself_with_a_model_of_its_own(make_world: MakeWorld) -> None:
    """As its own classifier would say: its long prompt is the same each time, so that caches hit."""
    script = [verdict("<block>no", contains="</block>")] * 3
    world = prepared(
        make_world(launcher={**PRIVATE, "CLAUDE_CODE_AUTO_MODE_MODEL": "demo-small"}, script=script)
    )
    run = world.ask("run: python3 made.py and also run python3 made.py; echo again")
    assert "mark-42" in run.output, run
    classified = [request for request in world.received if "</block>" in str(request.body.get("stop"))]
    assert {request.body["model"] for request in classified} == {"demo-small"}
    first, second, *_ = [request.body["messages"][0]["content"] for request in classified]
    assert first == second
    assert len(first) > 100_000
