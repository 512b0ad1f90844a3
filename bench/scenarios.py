"""The scenarios, as data, and how one is run beside all peers."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from . import workload

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .load import Load, Run
    from .peers import Peer
    from .workload import Answer

LONG = 500_000


@dataclass(frozen=True)
class Scenario:
    """One shape of load: `connections` at once, each sending the next request when its answer is complete.

    `pace` in seconds between two chunks of one answer; `burst`: each connection is new and sends one request.
    `slow_too`: also run with peers that take seconds for it.
    """

    name: str
    title: str
    connections: int
    answer: Callable[[], Answer]
    size: int | None = None
    streamed: bool = True
    native: bool = False
    pace: float = 0.0
    burst: bool = False
    slow_too: bool = False

    @property
    def body(self) -> bytes:
        """The request."""
        model = workload.NATIVE_MODEL if self.native else workload.MODEL
        return workload.request(self.size, stream=self.streamed, model=model)


def _text() -> Answer:
    return workload.chat_text(64)


def _long_text() -> Answer:
    return workload.chat_text(512)


def _tool() -> Answer:
    return workload.chat_tool(64)


def _native() -> Answer:
    return workload.native_text(64)


_WHOLE = workload.chat_whole
SCENARIOS: tuple[Scenario, ...] = (
    Scenario("stream-1", "streamed, 1 connection", 1, _text, slow_too=True),
    Scenario("stream-16", "streamed, 16 connections", 16, _text, slow_too=True),
    Scenario("stream-64", "streamed, 64 connections", 64, _text),
    Scenario("stream-256", "streamed, 256 connections", 256, _text),
    Scenario("burst-256", "streamed, 256 new connections at once", 256, _text, burst=True),
    Scenario("chunks-16", "streamed, 512 chunks, 16 connections", 16, _long_text),
    Scenario("long-1", "streamed, 500 kB request, 1 connection", 1, _text, size=LONG, slow_too=True),
    Scenario("long-16", "streamed, 500 kB requests, 16 connections", 16, _text, size=LONG),
    Scenario("paced-16", "paced at 20 ms, 16 streams", 16, _text, pace=0.02),
    Scenario("paced-256", "paced at 20 ms, 256 streams", 256, _text, pace=0.02),
    Scenario("whole-1", "not streamed, 1 connection", 1, _WHOLE, streamed=False, slow_too=True),
    Scenario("whole-16", "not streamed, 16 connections", 16, _WHOLE, streamed=False, slow_too=True),
    Scenario("tool-16", "tool arguments streamed, 16 connections", 16, _tool, slow_too=True),
    Scenario("native-1", "passthrough streamed, 1 connection", 1, _native, native=True),
    Scenario("native-16", "passthrough streamed, 16 connections", 16, _native, native=True),
)


class Figures(NamedTuple):
    """The medians of a scenario's rounds for one peer; times in microseconds."""

    rate: float
    """Complete answers per second."""
    chunk_rate: float
    ttft_p50: float
    ttft_p99: float
    gap_p50: float
    gap_p99: float
    latency_max: float
    cpu: float
    """Processor time per request."""
    generator: float
    """Share of its core that the load program used."""
    failed: int
    requests: int


class UnfitError(Exception):
    """A peer does not deliver what the upstream said."""


def check(load: Load, peer: Peer, scenario: Scenario) -> None:
    """One request outside of the measurement, its answer compared word by word. Raises `UnfitError`."""
    answer = scenario.answer()
    load.answer(answer)
    status, data = peer.ask(scenario.body)
    said = _said(data.decode())
    if status != 200 or said != answer.text:
        raise UnfitError(
            f"{peer.name}, {scenario.name}: status {status}, {said[:80]!r} for {answer.text[:80]!r}"
        )


def run(
    load: Load, peers: Sequence[Peer], scenario: Scenario, rounds: int, seconds: float
) -> dict[str, Figures]:
    """Run `scenario` with each peer, `rounds` times in alternating order."""
    answer = scenario.answer()
    load.answer(answer, scenario.pace)
    runs: dict[str, list[tuple[Run, float]]] = {peer.name: [] for peer in peers}
    for peer in peers:
        _measure(load, peer, scenario, seconds / 4)  # warms connections and caches
    for number in range(rounds):
        for peer in peers if number % 2 == 0 else reversed(peers):
            runs[peer.name].append(_measure(load, peer, scenario, seconds))
    return {name: _figures(found, answer) for name, found in runs.items()}


def _measure(load: Load, peer: Peer, scenario: Scenario, seconds: float) -> tuple[Run, float]:
    before = peer.cpu()
    count = scenario.connections if scenario.burst or scenario.pace else 1_000_000
    done = load.run(
        peer.port,
        peer.request(scenario.body),
        connections=scenario.connections,
        count=count,
        seconds=seconds,
        first=workload.FIRST,
        last=peer.last(streamed=scenario.streamed, native=scenario.native),
    )
    return done, peer.cpu() - before


def _figures(runs: list[tuple[Run, float]], answer: Answer) -> Figures:
    def median(values: list[float]) -> float:
        return statistics.median(values)

    rate = median([run.rate for run, _ in runs])
    return Figures(
        rate=rate,
        chunk_rate=rate * answer.chunks,
        ttft_p50=median([run.ttft.p50 for run, _ in runs]),
        ttft_p99=median([run.ttft.p99 for run, _ in runs]),
        gap_p50=median([run.gap.p50 for run, _ in runs]),
        gap_p99=median([run.gap.p99 for run, _ in runs]),
        latency_max=median([run.latency.max for run, _ in runs]),
        cpu=median([1e6 * cpu / run.requests if run.requests else 0.0 for run, cpu in runs]),
        generator=median([run.generator_cpu / run.seconds if run.seconds else 0.0 for run, _ in runs]),
        failed=sum(run.failed for run, _ in runs),
        requests=sum(run.requests for run, _ in runs),
    )


def _said(body: str) -> str:
    """The text, or the tool arguments, of an answer in either protocol, streamed or whole."""
    if body.lstrip().startswith("{"):
        whole = json.loads(body)
        if "choices" in whole:
            return str(whole["choices"][0]["message"]["content"])
        return "".join(block.get("text", "") for block in whole["content"])
    said = []
    for line in body.splitlines():
        data = line.removeprefix("data:").strip()
        if not line.startswith("data:") or data == "[DONE]":
            continue
        event = json.loads(data)
        delta = event.get("delta") or {}
        said.append(delta.get("text") or delta.get("partial_json") or "")
        for choice in event.get("choices", ()):
            said.append(choice["delta"].get("content") or "")
            calls = choice["delta"].get("tool_calls") or ()
            said.extend(call["function"]["arguments"] for call in calls)
    return "".join(said)
