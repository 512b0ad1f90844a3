"""The real Claude Code while its provider says nothing for a long time.

In CI the silence is short and the limits of the proxy are scaled down with it. Claude Code itself gives up
after 300 seconds without progress; that the proxy carries it over this is seen by hand:

    SILENCE=340 .venv/bin/pytest tests/e2e/test_claude_code_silence.py --timeout 900
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.demo.replies import Chunk, Reply
from tests.e2e import versions
from tests.e2e.test_claude_code_failures import chunk
from tests.replies import stream_reply

if TYPE_CHECKING:
    from tests.e2e.conftest import MakeWorld

pytestmark = pytest.mark.real_client

SILENCE = float(os.environ.get("SILENCE", "6"))
SCALE = SILENCE / 340


def silent(after: str) -> Reply:
    """A stream that falls silent before its first event, or in its reasoning, or in its text."""
    said = {"nothing": [], "reasoning": [chunk(reasoning_content="Hm. ")], "text": [chunk(content="At ")]}[
        after
    ]
    rest = "last." if after == "text" else "At last."
    finish = {**chunk(), "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    reply = stream_reply([*said, chunk(content=rest), finish])
    chunks = list(reply.chunks)
    late = chunks[len(said)]
    chunks[len(said)] = Chunk(text=late.text, data=late.data, delay=SILENCE)
    # only for a request with tools: 2.1.197 asks for a title at the same time
    return Reply(status=reply.status, headers=reply.headers, chunks=tuple(chunks), contains='"tools":[')


@pytest.mark.parametrize("version", [versions.NEWEST, versions.OLDEST])
@pytest.mark.parametrize("after", ["nothing", "reasoning", "text"])
def test_a_silent_provider_is_waited_for(make_world: MakeWorld, version: str, after: str) -> None:
    limits = {"hold": 10, "ping-interval": 10, "progress-interval": 60}
    options = [
        word for name, value in limits.items() for word in (f"--{name}", f"{max(1.0, value * SCALE):.3f}")
    ]
    world = make_world(version, script=[silent(after)], proxy_options=options)
    run = world.ask("say something", limit=int(SILENCE + 60))
    assert run.output.strip() == "At last.", run
    assert len(world.turns) == 1, "the client gave up and asked again"
    assert re.search(r"POST /v1/messages \S+ 200 ", world.proxy_log), world.proxy_log
