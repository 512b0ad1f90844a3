"""The real Claude Code when its provider fails: recovered or reported, never a silent success."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.demo.replies import Reply
from tests.e2e import versions
from tests.e2e.processes import wait_until
from tests.e2e.world import kill
from tests.replies import error_reply, stream_reply

if TYPE_CHECKING:
    from tests.e2e.conftest import MakeWorld
    from tests.e2e.world import World

pytestmark = pytest.mark.real_client

OVERFLOW = (
    "This model's maximum context length is 200000 tokens. However, your messages resulted in 212345 tokens."
)


def chunk(**delta: Any) -> dict[str, Any]:
    return {
        "id": "c",
        "object": "chat.completion.chunk",
        "model": "m",
        "choices": [{"index": 0, "delta": delta}],
    }


def test_rate_limit_then_success(make_world: MakeWorld) -> None:
    limited = error_reply(429, "slow down", type="rate_limit_error", headers={"retry-after": "1"})
    world = make_world(script=[limited])
    assert world.ask("say after the wait").output.strip() == "after the wait"
    refused, answered = world.received
    assert [refused.status, answered.status] == [429, 200]
    assert refused.over is not None
    assert answered.began - refused.over >= 1


def test_wrong_key_is_reported_at_once(make_world: MakeWorld) -> None:
    world = make_world(script=[error_reply(401, "Incorrect API key provided.", code="invalid_api_key")] * 3)
    began = time.monotonic()
    run = world.ask("say hi", check=False)
    assert run.code != 0
    assert time.monotonic() - began < 20, "Claude Code retries a 401 for minutes unless it is told not to"


def test_context_overflow_compacts_and_goes_on(make_world: MakeWorld) -> None:
    for version in (versions.NEWEST, versions.OLDEST):
        refusal = error_reply(
            400, OVERFLOW, code="context_length_exceeded", contains="say after the overflow"
        )
        world = make_world(version, script=[refusal])
        world.ask("say one")
        world.ask("run: echo two", "--continue")
        run = world.ask("say after the overflow", "--continue")
        assert run.output.strip() == "after the overflow", f"{version}: {run}"
        refused = next(i for i, request in enumerate(world.received) if request.status == 400)
        compaction, *_, last = world.received[refused + 1 :]
        assert "<summary>" in compaction.text
        assert "The demo went well so far." in last.text


STALLING = {
    "before the answer": Reply(delay=60),
    "before the first token": stream_reply([], end="stall"),
    "in the middle": stream_reply([chunk(content="A long story. ")] * 3, end="stall"),
}


@pytest.mark.parametrize("where", STALLING)
def test_killed_client_stops_the_provider(make_world: MakeWorld, where: str) -> None:
    world = make_world(script=[STALLING[where]])
    running = world.start("-p", "say anything")
    before = where == "before the answer"
    wait_until(lambda: any(request.answering or before for request in world.received))
    time.sleep(0.5)
    killed = time.monotonic()
    kill(running)
    gone = wait_until(lambda: world.received[0].gone, within=5, what="the end of the provider's work")
    assert gone - killed < 2
    wait_until(lambda: " gone " in world.proxy_log, within=5)


def cuts(kind: str) -> list[Reply]:
    """A stream that ends in the middle of its first block."""
    if kind == "text":
        return [stream_reply([chunk(content="Half of a sen")], end="cut")]
    if kind == "no-finish":
        return [stream_reply([chunk(content="Half of a sen")], done=False)]
    function = {"name": "Bash", "arguments": '{"command":"touch half'}
    call = {"index": 0, "id": "call_1", "type": "function", "function": function}
    return [stream_reply([chunk(tool_calls=[call])], end="cut")]


@pytest.mark.parametrize("kind", ["text", "tool", "no-finish"])
def test_cut_stream_is_recovered(make_world: MakeWorld, kind: str) -> None:
    world = make_world(script=cuts(kind))
    run = world.ask("run: echo whole > whole.txt; cat whole.txt")
    assert run.output.strip() == "Bash returned:\nwhole"
    assert files(world) == ["whole.txt"]


@pytest.mark.parametrize("kind", ["text", "tool", "no-finish"])
def test_cut_that_stays_is_reported(make_world: MakeWorld, kind: str) -> None:
    world = make_world(script=cuts(kind) * 40)
    world.env["CLAUDE_CODE_MAX_RETRIES"] = "1"
    run = world.ask("run: echo whole > whole.txt", check=False)
    assert run.code != 0, run
    assert files(world) == []


def test_cut_after_a_finished_block_is_no_success_of_the_half(make_world: MakeWorld) -> None:
    events = [chunk(reasoning_content="Let me think."), chunk(content="Half of a sen")]
    world = make_world(script=[stream_reply(events, end="cut")])
    run = world.ask("say the whole sentence", check=False)
    assert run.output.strip() != "Half of a sen"
    assert run.code != 0 or "the whole sentence" in run.output, run


def files(world: World) -> list[str]:
    return sorted(path.name for path in world.work.iterdir() if path.is_file())
