"""Figures that are no plain scenario: start-up, growth with the conversation, blocking, workers."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from typing import TYPE_CHECKING, Any

from . import workload
from .peers import Ours

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .load import Load
    from .peers import Peer

SIZES = (100_000, 200_000, 500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000)


def start_up(load: Load, peers: Sequence[Peer], times: int) -> dict[str, float]:
    """Seconds from the start of the process to its first answered request, the median."""
    load.answer(workload.chat_whole())
    found: dict[str, float] = {}
    for peer in peers:
        taken = []
        for _ in range(1 if peer.slow else times):
            taken.append(peer.start(load.upstream))
            peer.stop()
        found[peer.name] = statistics.median(taken)
    return found


def growth(load: Load, peer: Peer) -> list[dict[str, float]]:
    """Processor time of one request as its conversation grows, in milliseconds."""
    load.answer(workload.chat_text(1))
    found = []
    for size in SIZES:
        body = workload.request(size)
        request = peer.request(body)
        count = max(5, min(200, 20_000_000 // size))
        before = peer.cpu()
        run = load.run(
            peer.port,
            request,
            connections=1,
            count=count,
            seconds=30,
            first=workload.FIRST,
            last=peer.last(streamed=True, native=False),
        )
        cpu = 1e3 * (peer.cpu() - before) / max(run.requests, 1)
        found.append({"bytes": len(body), "cpu_ms": cpu, "ttft_ms": run.ttft.p50 / 1e3, "failed": run.failed})
    return found


def blocking(load: Load, peer: Peer) -> list[dict[str, float]]:
    """How long large requests keep 16 paced streams waiting: gaps between two chunks, less the pace."""
    pace = 0.02
    found = []
    for size in (0, 500_000, 2_000_000, 10_000_000):
        load.answer(workload.chat_text(150), pace)
        disturber = _Disturber(peer, workload.request(size)) if size else None
        run = load.run(
            peer.port,
            peer.request(workload.request()),
            connections=16,
            count=16,
            seconds=10,
            first=workload.FIRST,
            last=peer.last(streamed=True, native=False),
        )
        found.append(
            {
                "bytes": size,
                "requests": disturber.stop() if disturber is not None else 0,
                "gap_p99_ms": run.gap.p99 / 1e3 - pace * 1e3,
                "gap_max_ms": run.gap.max / 1e3 - pace * 1e3,
                "failed": run.failed,
            }
        )
    return found


class _Disturber:
    """Sends one large request after the other, which need no answer of the upstream's: count its tokens."""

    def __init__(self, peer: Peer, body: bytes) -> None:
        self._peer = peer
        self._body = body
        self._over = threading.Event()
        self._sent = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> int:
        """End it; returns how many were answered."""
        self._over.set()
        self._thread.join()
        return self._sent

    def _run(self) -> None:
        while not self._over.wait(0.1):
            status, _ = self._peer.ask(self._body, path="/v1/messages/count_tokens")
            self._sent += status == 200


_OFF = ("--log-level", "warning", "--usage-file", "no", "--cache-proof", "no", "--ui", "no")
SINKS: dict[str, tuple[str, ...]] = {
    "the log": ("--log-level", "info"),
    "the log as JSON": ("--log-level", "info", "--log-format", "json"),
    "metrics": ("--metrics",),
    "token counts": ("--usage-file", "{folder}/usage.sqlite3"),
    "the page": ("--ui", "yes"),
    "cache proof": ("--cache-proof", "yes"),
    "traces, nobody there to receive them": ("--traces", "yes"),
    "capture": ("--capture", "{folder}/capture"),
    "capture, redacted": ("--capture", "{folder}/redacted", "--redact"),
}
"""What can be done with the record of a request, and its options; the last one given counts."""
_SESSION = b"\r\nx-claude-code-session-id: bench\r\n\r\n"


def sinks(load: Load, rounds: int, seconds: float) -> dict[str, float]:
    """Processor time that each sink adds to a streamed request of a session, in microseconds.

    All run side by side and are asked in turns. `nothing` is the time of a request without any.
    """
    load.answer(workload.chat_text(64))
    body = workload.request()
    with tempfile.TemporaryDirectory() as folder:
        wanted = {"nothing": (), **SINKS}
        running = {
            name: Ours(options=[*_OFF, *(option.format(folder=folder) for option in options)])
            for name, options in wanted.items()
        }
        cpus: dict[str, list[float]] = {name: [] for name in running}
        try:
            for peer in running.values():
                peer.start(load.upstream)
            for _ in range(rounds):
                for name, peer in running.items():
                    before = peer.cpu()
                    run = load.run(
                        peer.port,
                        peer.request(body).replace(b"\r\n\r\n", _SESSION, 1),
                        connections=16,
                        count=1_000_000,
                        seconds=seconds,
                        first=workload.FIRST,
                        last=peer.last(streamed=True, native=False),
                    )
                    cpus[name].append(1e6 * (peer.cpu() - before) / max(run.requests, 1))
        finally:
            for peer in running.values():
                peer.stop()
    found = {name: statistics.median(values) for name, values in cpus.items()}
    bare = found["nothing"]
    return {name: value if name == "nothing" else value - bare for name, value in found.items()}


def workers(load: Load, rounds: int, seconds: float) -> dict[str, Any]:
    """Requests of 500 kB per second with one worker and with two, both cores free to all.

    On a machine with two cores the load program needs its share of them, so that two workers cannot reach
    twice the rate of one: `generator` is what it used of both, `cpu_us` the processor time of a request.
    Large requests keep that share small.
    """
    body = workload.request(500_000, stream=False)
    load.answer(workload.chat_whole())
    rates: dict[int, list[float]] = {1: [], 2: []}
    cpus: dict[int, list[float]] = {1: [], 2: []}
    shares: dict[int, list[float]] = {1: [], 2: []}
    running = {1: Ours(1), 2: Ours(2)}
    try:
        for peer in running.values():
            peer.start(load.upstream, cpus="0,1")
            time.sleep(0.5)
        for _ in range(rounds):
            for number, peer in running.items():
                before = peer.cpu()
                run = load.run(
                    peer.port,
                    peer.request(body),
                    connections=32,
                    count=1_000_000,
                    seconds=seconds,
                    first=workload.FIRST,
                    last="usage",
                )
                rates[number].append(run.rate)
                cpus[number].append(1e6 * (peer.cpu() - before) / max(run.requests, 1))
                shares[number].append(run.generator_cpu / run.seconds)
    finally:
        for peer in running.values():
            peer.stop()
    found = {
        f"{name}_{number}": statistics.median(values[number])
        for name, values in (("rate", rates), ("cpu_us", cpus), ("generator", shares))
        for number in (1, 2)
    }
    return {**found, "ratio": found["rate_2"] / found["rate_1"]}
