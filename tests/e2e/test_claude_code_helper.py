"""The real client's `apiKeyHelper` through the shared server: the token of now, and a new one after a refusal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e import versions
from tests.replies import error_reply

if TYPE_CHECKING:
    from tests.e2e.conftest import MakeWorld
    from tests.e2e.world import World

pytestmark = pytest.mark.real_client


def with_helper(world: World) -> None:
    """A helper that prints another token each time, as one that asks Entra or Google does in the end."""
    count = world.home / "count"
    helper = world.home / "helper.sh"
    helper.write_text(f"#!/bin/sh\necho x >> {count}\nprintf 'token-%s' $(wc -l < {count})\n")
    helper.chmod(0o700)
    settings = world.home / ".claude" / "settings.json"
    settings.parent.mkdir()
    # For a millisecond: the token of a request is as old as the request before it.
    env = {"CLAUDE_CODE_API_KEY_HELPER_TTL_MS": "1"}
    settings.write_text(json.dumps({"apiKeyHelper": str(helper), "env": env}))
    providers = world.home / ".config/llm/cc-proxy.json"
    chosen = json.loads(providers.read_text())
    chosen["demo"]["auth_key"] = f"cmd:{helper}"
    providers.write_text(json.dumps(chosen))
    world.native = True  # each request has a key of its own


def tokens(world: World) -> list[str]:
    return [
        request.headers["authorization"].removeprefix("Bearer ") for request in world.received if request.body
    ]


@pytest.mark.parametrize("version", versions.ALL)
@pytest.mark.parametrize("native", [True, False])
def test_the_current_token_goes_upstream(make_world: MakeWorld, version: str, *, native: bool) -> None:
    """Converted as for Azure OpenAI, and natively as for Claude on Vertex AI."""
    world = make_world(version, native=native)
    with_helper(world)
    run = world.ask("do 3 steps" if native else "explore: run: echo mark-$((6*7))")
    assert ("3 steps done" if native else "returned:") in run.output
    sent = tokens(world)
    assert all(token.startswith("token-") for token in sent)
    assert len(set(sent)) > 1, sent


@pytest.mark.parametrize("version", versions.ALL)
def test_a_refused_token_is_asked_for_anew(make_world: MakeWorld, version: str) -> None:
    """2.1.197 may try once more with the old one first."""
    refusal = error_reply(401, "The access token has expired", code="invalid_api_key", contains="Bash")
    world = make_world(version, script=[refusal, refusal])
    with_helper(world)
    run = world.ask("say it is renewed", limit=90)
    assert run.output.strip() == "it is renewed"
    sent = [request.headers["authorization"] for request in world.turns]
    assert len(sent) == 3
    assert sent[0] != sent[2]
