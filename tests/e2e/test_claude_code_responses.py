"""The real Claude Code on a provider that speaks OpenAI Responses and wants its reasoning back."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.demo import strictness
from claude_code_proxy.demo.responses import to_chat
from tests.e2e import npm, versions
from tests.e2e.world import World, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.real_client

MODEL = {"model_name": "demo-strict-reason", "api": "responses", "thinking_switch": "reasoning_effort"}


@pytest.fixture
def responses_world(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        made = stack.enter_context(world(tmp_path / "world", npm.claude_code(versions.NEWEST), model=MODEL))
        yield made
        for request in made.received:
            assert request.path == "/v1/responses"
            assert request.status == 200
            strictness.check(to_chat(request.body))
            assert "x-anthropic-billing-header" not in request.text
            assert "cache_control" not in request.text


def test_tools_in_a_row(responses_world: World) -> None:
    run = responses_world.ask("run: echo mark-$((6*7)) > made.txt; cat made.txt and also run: echo two")
    assert "mark-42" in run.output, run
    assert (responses_world.work / "made.txt").read_text() == "mark-42\n"
    first, second = responses_world.turns
    kinds = [item.get("type") for item in second.body["input"][len(first.body["input"]) :]]
    assert kinds == [
        "reasoning", None, "function_call", "function_call", "function_call_output", "function_call_output",
    ]  # fmt: skip
    assert second.body["input"][: len(first.body["input"])] == first.body["input"]


def test_a_conversation_that_goes_on_in_a_new_process(responses_world: World) -> None:
    responses_world.ask("run: echo one")
    run = responses_world.ask("run: echo two", "--continue")
    assert "two" in run.output, run
    last = responses_world.turns[-1]
    assert [item["type"] for item in last.body["input"] if "type" in item].count("reasoning") >= 2
