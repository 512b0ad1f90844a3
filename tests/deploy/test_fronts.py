"""The configurations of nginx and Envoy, before three instances: nothing is held back, moved about or lost."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from .cluster import Answer, running_cluster, texts
from .fronts import FRONTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from .cluster import Cluster

pytestmark = pytest.mark.parametrize("front", FRONTS)
SESSIONS = 9
CLIENTS = 4  # that ask without a pause
MOST = 1000  # requests of each
LARGE = 3_000_000  # bytes of a prompt: more than a front keeps by itself


async def test_streams_pass_at_once_and_sessions_stay(front: str, tmp_path: Path) -> None:
    async with running_cluster(front, tmp_path) as cluster:
        async with asyncio.timeout(30), cluster.post("steps", {}) as response:
            seen = ""
            for number in range(5):  # the provider says nothing more until the client has this
                while f"step {number} " not in texts(seen):
                    seen += (await response.content.readany()).decode()
                cluster.provider.steps.release()
            seen += (await response.content.read()).decode()
        assert "message_stop" in seen
        callers = [{"x-claude-code-session-id": f"session-{n}"} for n in range(SESSIONS)]
        callers += [{"x-api-key": f"key-{n}"} for n in range(SESSIONS)]
        callers += [{"authorization": f"Bearer {n}"} for n in range(SESSIONS)]
        for _ in range(2):
            calls = (cluster.ask(str(n), headers) for n, headers in enumerate(callers))
            assert all(answer.is_whole for answer in await asyncio.gather(*calls))
        homes = [set(cluster.provider.homes[str(n)]) for n in range(len(callers))]
        assert all(len(home) == 1 for home in homes), homes
        for first in range(0, len(homes), SESSIONS):
            assert len(set().union(*homes[first : first + SESSIONS])) > 1, "one instance has all"


async def test_a_killed_instance_loses_only_its_own_streams(front: str, tmp_path: Path) -> None:
    async with running_cluster(front, tmp_path) as cluster, held_streams(cluster) as (streams, victim):
        async with load(cluster) as answers:
            cluster.processes[victim].send_signal(signal.SIGKILL)
            await cluster.processes[victim].wait()  # until then its listener takes connections
            await asyncio.sleep(0.2)  # until the front has seen that the kept ones are closed
            killed = time.monotonic()
            mine = [prompt for prompt in streams if cluster.provider.homes[prompt] == [victim]]
            await until(lambda: all(streams[prompt].is_reported for prompt in mine))
            assert not any(streams[prompt].is_whole for prompt in mine)
            # Its conversations go on elsewhere, at any length, and with the ids of their tools.
            call = {"type": "tool_use", "id": "toolu_4711", "name": "look", "input": {}}
            result = {"type": "tool_result", "tool_use_id": "toolu_4711", "content": "seen"}
            turns = [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
            for prompt in mine[:2]:
                again = f"again {prompt}"
                session = {"x-claude-code-session-id": prompt}
                answer = await cluster.ask(again + " " * LARGE, session, turns)
                assert answer.is_whole, answer
                assert victim not in cluster.provider.homes[again]
                sent = cluster.provider.bodies[again]["messages"]
                assert sent[1]["tool_calls"][0]["id"] == sent[2]["tool_call_id"] == "toolu_4711"
            await more_of(answers)
        # What was under way at that moment may have been its own.
        assert [answer for answer in answers if answer.started > killed and not answer.is_whole] == []
        cluster.provider.open_gate.set()
    assert {prompt for prompt, answer in streams.items() if not answer.is_whole} == set(mine)


async def test_an_instance_that_ends_loses_nothing(front: str, tmp_path: Path) -> None:
    async with running_cluster(front, tmp_path) as cluster, held_streams(cluster) as (streams, victim):
        async with load(cluster) as answers:
            cluster.processes[victim].send_signal(signal.SIGTERM)
            await more_of(answers)
            cluster.provider.open_gate.set()
            assert await asyncio.wait_for(cluster.processes[victim].wait(), 20) == 0
            await more_of(answers)
        assert [answer for answer in answers if not answer.is_whole] == []
    assert [answer for answer in streams.values() if not answer.is_whole] == []


@asynccontextmanager
async def held_streams(cluster: Cluster) -> AsyncIterator[tuple[dict[str, Answer], int]]:
    """Streams that have begun and wait for the provider's gate, and the instance that has most of them."""
    streams = {f"hold-{n}": Answer() for n in range(SESSIONS)}
    tasks = [asyncio.create_task(cluster.ask(prompt, answer=answer)) for prompt, answer in streams.items()]
    await until(lambda: all("begun" in answer.text for answer in streams.values()))
    homes = Counter(cluster.provider.homes[prompt][0] for prompt in streams)
    assert len(homes) > 1, "one instance has all"
    try:
        yield streams, homes.most_common(1)[0][0]
    finally:
        cluster.provider.open_gate.set()
        await asyncio.gather(*tasks)


@asynccontextmanager
async def load(cluster: Cluster) -> AsyncIterator[list[Answer]]:
    """Clients that ask without a pause, each time in another session, and what they got."""
    answers: list[Answer] = []
    stop = asyncio.Event()

    async def ask(name: int) -> None:
        for number in range(MOST):
            if stop.is_set():
                return
            answers.append(Answer(started=time.monotonic()))
            await cluster.ask(f"load-{name}-{number}", answer=answers[-1])

    tasks = [asyncio.create_task(ask(name)) for name in range(CLIENTS)]
    try:
        await more_of(answers)
        yield answers
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def more_of(answers: list[Answer], count: int = 24) -> None:
    """Wait for that many answers more."""
    wanted = len(answers) + count
    await until(lambda: len(answers) >= wanted)


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that other tasks do."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
