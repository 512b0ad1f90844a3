"""`ccproxy` with the real Claude Code: a private proxy, fights over settings, and a person at the terminal."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e import versions
from tests.e2e.processes import wait_until
from tests.e2e.terminal import Terminal
from tests.e2e.world import MODEL

if TYPE_CHECKING:
    from tests.e2e.conftest import MakeWorld
    from tests.e2e.world import World

pytestmark = pytest.mark.real_client

PRIVATE = {"base_url": "http://127.0.0.1:9000/v1", "format": "openai", "context": "200k"}
"""The provider's own address: `ccproxy` must start a proxy."""


def private_proxies(world: World) -> list[int]:
    """The pids of the private proxies of this world, by their environment."""
    home = f"HOME={world.home}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        try:
            is_one = b"ccproxy.session_server" in (folder / "cmdline").read_bytes()
            if is_one and home in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except (OSError, ValueError):
            continue
    return found


@pytest.mark.parametrize("version", versions.ALL)
def test_one_command(make_world: MakeWorld, version: str) -> None:
    world = make_world(version, launcher=PRIVATE)
    run = world.ask("run: echo mark-$((6*7))")
    assert run.output.strip() == "Bash returned:\nmark-42"
    assert "/v1/messages" not in world.proxy_log  # the other proxy of this world had no part in it
    assert "assumes a context window" not in run.errors
    wait_until(lambda: not private_proxies(world), 10, "the private proxy is gone")


@pytest.mark.parametrize("version", versions.ALL)
@pytest.mark.parametrize("private", [True, False])
def test_settings_files_do_not_win(make_world: MakeWorld, version: str, private: bool) -> None:
    """Another address, key, header, model and key helper in the user's file: `world` checks the key upstream.

    2.1.197 sends the file's headers in place of ours; the provider's own key then comes as in any session.
    """
    world = make_world(version, launcher=PRIVATE if private else None)
    fights = {
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:1",
        "ANTHROPIC_AUTH_TOKEN": "sk-foreign-token",
        "ANTHROPIC_API_KEY": "sk-foreign-key",
        "ANTHROPIC_CUSTOM_HEADERS": "x-team: foreign-to-providers",
        "ANTHROPIC_MODEL": "another",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": "another",
    }
    settings = world.home / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text(json.dumps({"env": fights, "apiKeyHelper": "echo sk-foreign-helper"}))
    run = world.ask("say plain talk works")
    assert run.output.strip() == "plain talk works"
    assert {request.body["model"] for request in world.received if request.body} == {MODEL}
    assert "foreign" not in (world.folder / "requests.jsonl").read_text()


def test_signals_and_the_end(make_world: MakeWorld) -> None:
    world = make_world(launcher=PRIVATE, delay=0.3)
    running = world.start("-p", "count to 200")
    wait_until(lambda: world.received and world.received[-1].answering, what="the answer has begun")
    assert len(private_proxies(world)) == 2
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    wait_until(lambda: not private_proxies(world), 10, "the private proxy is gone")
    wait_until(lambda: world.received[-1].over, 10, "the provider's work is over")


@pytest.mark.parametrize("version", versions.ALL)
def test_the_server_is_killed_and_the_session_goes_on(make_world: MakeWorld, version: str) -> None:
    """Before the first event, when the client tries again, and nothing of the answer is lost."""
    world = make_world(version, launcher=PRIVATE, delay=0.3)
    running = world.start("-p", "say plain talk works")
    wait_until(lambda: world.turns, 30, "the provider was asked")
    os.kill(max(private_proxies(world)), signal.SIGKILL)  # the younger one
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out.strip()) == (0, "plain talk works"), err
    assert len(world.turns) >= 2


def settled_home(world: World) -> None:
    """As if a person had been here before: no welcome, no question whether to trust the folder."""
    state = {
        "hasCompletedOnboarding": True,
        "theme": "dark",
        "projects": {
            str(world.work): {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}
        },
    }
    (world.home / ".claude.json").write_text(json.dumps(state))


def interactive(world: World, *program: str, **env: str) -> Terminal:
    path = f"{Path(sys.executable).parent}:{world.claude_binary.parent}:/usr/local/bin:/usr/bin:/bin"
    variables = {"PATH": path, "HOME": str(world.home), "TERM": "xterm-256color", "IS_SANDBOX": "1", **env}
    command = ["env", "-i", *(f"{name}={value}" for name, value in variables.items()), *program]
    return Terminal(world.namespace.command(command), world.work)


def talk(terminal: Terminal) -> list[str]:
    """A short conversation; what stands on the screen after it but for what differs by chance."""
    try:
        terminal.wait_for("shift+tab to cycle")
        terminal.settle()
        terminal.submit("say it streams well")
        terminal.wait_for("● it streams well")
        terminal.settle()
        terminal.submit("count to 3000")
        terminal.wait_for("1 2 3 4")
        terminal.type("\x1b")
        terminal.wait_for("Interrupted")
        terminal.settle()
        terminal.submit("/model demo-other")
        terminal.wait_for("Yes, switch to demo-other")
        terminal.settle()
        terminal.type("\r")
        terminal.wait_for("Set model to demo-other")
        terminal.settle()
        terminal.submit("say from the other")
        terminal.wait_for("● You wrote")  # the demo's model sees the interruption and the command as well
        terminal.settle(1.5)
        lines = [line.strip() for line in terminal.screen.text.splitlines()]
        terminal.submit("/exit")
        code = terminal.end()
    finally:
        terminal.close()
    told = [line for line in lines if line.startswith(("❯ ", "● ", "⎿ "))]
    return [
        *(line for line in told if "count" in line or not line.startswith("● 1 2 3")),
        f"exit code {code}",
    ]


def test_a_person_at_the_terminal(make_world: MakeWorld) -> None:
    """Types, sees the answer come, interrupts with Esc, changes the model, quits; as without the launcher."""
    worlds: list[tuple[World, list[str]]] = []
    for launched in (True, False):
        world = make_world(launcher=PRIVATE, delay=0.02, model={"model_id": "*", "model_name": "*"})
        settled_home(world)
        env: dict[str, Any] = {}
        if not launched:
            proxy_url = world.proxy_log.split("listening on ")[1].split()[0]
            env = {
                "ANTHROPIC_BASE_URL": proxy_url,
                "ANTHROPIC_AUTH_TOKEN": world.key,
                "ANTHROPIC_MODEL": MODEL,
                "CLAUDE_CODE_MAX_CONTEXT_TOKENS": "200000",
                "CLAUDE_CODE_MODEL_CAPABILITIES": f"{MODEL}=-effort",
            }
        terminal = interactive(world, "ccproxy" if launched else "claude", **env)
        worlds.append((world, talk(terminal)))
    (world, launched_screen), (_, plain_screen) = worlds
    assert launched_screen == plain_screen
    assert launched_screen[-1] == "exit code 0"
    assert "demo-other" in {request.body.get("model") for request in world.received}
    interrupted = [request for request in world.received if "count to 3000" in request.text and request.gone]
    assert interrupted
    wait_until(lambda: not private_proxies(world), 10, "the private proxy is gone")


def test_the_models_to_choose_from(make_world: MakeWorld) -> None:
    """`/model` shows the session's models with their windows, and no "Default" that is five times as wide."""
    other = "anthropic/demo-other"
    world = make_world(launcher={**PRIVATE, "small_model": other}, model={"model_id": "*", "model_name": "*"})
    settled_home(world)
    terminal = interactive(world, "ccproxy")
    try:
        terminal.wait_for("shift+tab to cycle")
        assert "/effort" not in terminal.screen.text, "the model has none"
        terminal.settle()
        terminal.submit("/model")
        terminal.wait_for("3. ")
        terminal.settle()
        lines = [line.strip(" ❯") for line in terminal.screen.text.splitlines()]
        terminal.type("\x1b[A")
        terminal.settle()
        terminal.type("\r")
        terminal.wait_for("Set model to")
        terminal.settle()
        terminal.submit("/context")
        terminal.wait_for("/200k tokens")
        terminal.submit("/exit")
        terminal.end()
    finally:
        terminal.close()
    rows = [" ".join(line.replace("✔", "").split()) for line in lines if line[1:3] == ". "]
    assert rows == [
        f"1. Default (recommended) Use the default model (currently {MODEL} (demo))",
        f"2. {MODEL} (demo) 200k context",
        f"3. {other} (demo) context not known",
    ]
