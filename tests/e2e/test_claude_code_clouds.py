"""The real Claude Code on Claude in a cloud: its path, its frames, its refusals of what is new."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e import versions
from tests.e2e.anthropic_upstream import signature

if TYPE_CHECKING:
    from tests.e2e.conftest import MakeWorld

pytestmark = pytest.mark.real_client

STEPS = 3
HOST = "http://127.0.0.1:9000"
KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "planted-secret",
    "AWS_REGION": "eu-west-1",
}
CLOUDS = {
    "bedrock": {"base_url": f"{HOST}/model", "profile": "bedrock", "auth_key": "aws:"},
    "vertex": {
        "base_url": f"{HOST}/v1/projects/p/locations/l/publishers/anthropic",
        "profile": "vertex",
        "auth_key": "cmd:ttl=50m echo ya29.planted",
    },
}


@pytest.mark.parametrize("version", versions.ALL)
@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_conversation_with_tools(make_world: MakeWorld, cloud: str, version: str) -> None:
    entry = {**CLOUDS[cloud], "format": "anthropic", "model": "us.anthropic.claude-sonnet-4-6"}
    world = make_world(version, native=True, launcher=entry)
    world.env.update(KEYS)
    run = world.ask(f"do {STEPS} steps", limit=120)
    assert run.output.strip() == f"{STEPS} steps done."
    served = [request for request in world.turns if request.status == 200]
    refused = [request for request in world.received if request.status == 400]
    assert len(served) == STEPS + 1
    last = max(request.began for request in refused)
    assert last < served[1].began, "what was refused once is left out from then on"
    blocks = [
        block
        for message in served[-1].body["messages"]
        if message["role"] == "assistant"
        for block in message["content"]
        if block["type"] == "thinking"
    ]
    assert [block["signature"] for block in blocks] == [signature(step) for step in range(STEPS)]
    start = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/" if cloud == "bedrock" else "Bearer ya29.planted"
    for request in world.received:
        assert request.headers["authorization"].startswith(start)
        assert "x-api-key" not in request.headers
        assert "planted-secret" not in str(request)
