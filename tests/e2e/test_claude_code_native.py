"""The real Claude Code on a provider that speaks the Anthropic format, passed through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e import versions
from tests.e2e.anthropic_upstream import signature, thinking

if TYPE_CHECKING:
    from tests.e2e.conftest import MakeWorld

pytestmark = pytest.mark.real_client

STEPS = 8
PROVIDER = {"base_url": "http://127.0.0.1:9000", "format": "anthropic"}
"""The provider's own address."""


@pytest.mark.parametrize("version", [versions.NEWEST, versions.OLDEST])
@pytest.mark.parametrize("way", ["shared", "renamed", "private", "direct"])
def test_thinking_of_a_long_conversation_comes_back_unchanged(
    make_world: MakeWorld, version: str, way: str
) -> None:
    """Under another model name too: 2.1.197 leaves out the thinking of a reply that names another model.

    Through a shared server, through the session's own, which has the key, and without any.
    """
    model_name = "the-upstreams-own-name" if way == "renamed" else None
    launcher = PROVIDER if way in ("private", "direct") else None
    world = make_world(
        version, native=True, model={"model_name": model_name} if model_name else {}, launcher=launcher
    )
    if way == "direct":
        world.launcher = ("ccproxy", "--direct")
    run = world.ask(f"do {STEPS} steps", limit=120)
    assert run.output.strip() == f"{STEPS} steps done."
    last = world.turns[-1]
    blocks = [
        block
        for message in last.body["messages"]
        if message["role"] == "assistant"
        for block in message["content"]
        if block["type"] == "thinking"
    ]
    assert [block["signature"] for block in blocks] == [signature(step) for step in range(STEPS)]
    assert [block["thinking"] for block in blocks] == [thinking(step) for step in range(STEPS)]
    for request in world.turns:
        assert request.body["model"] == (model_name or "demo-reason")
        assert request.headers["authorization"] == f"Bearer {world.key}"
        assert "claude-code-20250219" in request.headers["anthropic-beta"]
        assert request.headers["anthropic-version"] == "2023-06-01"
        assert "cache_control" in request.text
        assert "context_management" in request.body
    assert ("/v1/messages" in world.proxy_log) is (launcher is None)


@pytest.mark.parametrize(
    ("own", "version", "sent"),
    [("", versions.NEWEST, False), ("x=-effort", versions.NEWEST, True), ("", versions.OLDEST, True)],
)
def test_no_effort_for_a_model_without(make_world: MakeWorld, own: str, version: str, sent: bool) -> None:
    world = make_world(version, native=True, model={"drop_fields": ["output_config.effort"]})
    if own:
        world.env["CLAUDE_CODE_MODEL_CAPABILITIES"] = own
    world.ask("say done")
    assert ("field_dropped" in world.proxy_log) == sent
    assert world.turns[-1].body["thinking"]["type"] == "adaptive"
