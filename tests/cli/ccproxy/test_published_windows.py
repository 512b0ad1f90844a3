"""The window of a model that only its provider's list knows: asked for when a session starts, and kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.demo_upstream import Upstream
    from tests.cli.desk import Desk

NAME = "CLAUDE_CODE_MAX_CONTEXT_TOKENS"
LISTED: list[dict[str, Any]] = [
    {"id": "q/coder", "context_length": 200_000},
    {"id": "q/small", "context_length": 64_000},
    {"id": "q/mute"},
]


def kept(desk: Desk) -> Path:
    return desk.home / ".local/state/claude-code-proxy/windows.json"


def asked(upstream: Upstream) -> int:
    return sum(request.path.endswith("/models") for request in upstream.provider.requests)


@pytest.fixture
def entry(upstream: Upstream) -> dict[str, Any]:
    upstream.provider.models = LISTED
    return upstream.entry(profile="openrouter", model="q/coder", small_model="q/small")


def test_a_session_knows_it(desk: Desk, upstream: Upstream, entry: dict[str, Any]) -> None:
    desk.providers({"mine": entry})
    assert desk.claude()["env"][NAME] == "200000"
    assert asked(upstream) == 1
    upstream.provider.models = []
    assert desk.claude()["env"][NAME] == "200000"
    assert asked(upstream) == 1, "what is kept is not asked for again"
    assert entry["auth_key"] not in kept(desk).read_text()


def test_a_dry_run_asks_nobody(desk: Desk, upstream: Upstream, entry: dict[str, Any]) -> None:
    desk.providers({"mine": entry})
    assert NAME not in desk.run("--dry-run")[1]
    assert asked(upstream) == 0
    desk.claude()
    assert f"{NAME}=200000" in desk.run("--dry-run")[1]
    assert asked(upstream) == 1


def test_what_is_written_counts(desk: Desk, upstream: Upstream, entry: dict[str, Any]) -> None:
    desk.providers({"mine": {**entry, "small_model": "q/coder", "context": "100k"}})
    assert desk.claude()["env"][NAME] == "100000"
    assert asked(upstream) == 0


@pytest.mark.parametrize("models", [[{"id": "q/coder"}], []])
def test_a_list_that_does_not_tell_it(
    desk: Desk, upstream: Upstream, entry: dict[str, Any], models: list[dict[str, Any]]
) -> None:
    upstream.provider.models = models
    desk.providers({"mine": entry})
    assert NAME not in desk.claude()["env"]
    assert NAME not in desk.claude()["env"]
    assert asked(upstream) == 1


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', '{"a": ["x", 1]}', '{"MINE q/coder": [5, 1]}'])
def test_a_file_that_is_old_or_broken(desk: Desk, entry: dict[str, Any], text: str) -> None:
    kept(desk).parent.mkdir(parents=True)
    kept(desk).write_text(text.replace("MINE", entry["base_url"]))
    desk.providers({"mine": entry})
    assert desk.claude()["env"][NAME] == "200000"
    assert json.loads(kept(desk).read_text())[f"{entry['base_url']} q/small"][0] == 64_000
