"""The real Claude Code's WebSearch, and calls that arrive as text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.demo.replies import Chunk, Reply
from tests.e2e import versions

if TYPE_CHECKING:
    from tests.e2e.conftest import MakeWorld

pytestmark = pytest.mark.real_client

SEARCH = 'run the tool WebSearch with {"query": "striped cats"}'


@pytest.mark.parametrize("version", [versions.NEWEST, versions.OLDEST])
def test_a_search_that_nobody_can_make_is_told(make_world: MakeWorld, version: str) -> None:
    world = make_world(version)
    run = world.ask(SEARCH)
    assert "Web search is not available here" in run.output, run
    assert "web_search_unavailable" in world.proxy_log
    assert not [r for r in world.received if "Perform a web search" in r.text], "no model makes results up"


def test_a_provider_with_a_search_is_asked(make_world: MakeWorld) -> None:
    world = make_world(model={"web_search_body": {"enable_search": True}})
    run = world.ask(SEARCH)
    (search,) = [r for r in world.received if "enable_search" in r.body]
    assert "Perform a web search for the query: striped cats" in search.text
    assert search.tools == []
    assert "WebSearch returned" in run.output, run


def test_a_call_that_arrives_as_text_is_run(make_world: MakeWorld) -> None:
    call = '<tool_call>\n{"name": "Bash", "arguments": {"command": "echo as-text-$((40+2))"}}\n</tool_call>'
    world = make_world(model={"text_tool_calls": ["hermes"]}, script=[_spoken(f"Let me see.\n{call}")])
    run = world.ask("say done")
    assert world.turns[-1].results == ["as-text-42"], run
    assert "text_tool_call" in world.proxy_log


def _spoken(words: str) -> Reply:
    """An answer that streams `words` as text, cut in the middle of words and markers."""
    pieces = [words[at : at + 7] for at in range(0, len(words), 7)]
    choices = [{"index": 0, "delta": {"content": piece}, "finish_reason": None} for piece in pieces]
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    events = [{"choices": [choice]} for choice in (*choices, last)]
    chunks = [Chunk(text=f"data: {json.dumps(event)}\n\n") for event in events]
    return Reply(
        headers={"content-type": "text/event-stream"},
        chunks=(*chunks, Chunk(text="data: [DONE]\n\n")),
        contains="say done",
    )
