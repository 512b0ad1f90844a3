"""A server under mixed traffic for a while: its ledger and ours must agree, and nothing of it may grow."""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from tests.server.byte_upstream import running_upstream
from tests.server.harness import Proxy, ask
from tests.soak.traffic import MOST_AT_ONCE, Traffic, Unreliable

ROUNDS = 4
"""The first one fills what is kept (connections, caches, the allocator's memory); the others may add nothing."""
_ROOM = 6 << 20  # bytes of memory that is no growth
_SERVER = """
import asyncio, signal, sys, threading
from pathlib import Path
from claude_code_proxy.cli.server_command.main import run

def count(number, frame):
    tasks = len(asyncio.all_tasks())
    Path(sys.argv[1]).write_text(f"{tasks} {threading.active_count()}")

signal.signal(signal.SIGUSR1, count)
sys.exit(run(sys.argv[2:]))
"""


class Held(NamedTuple):
    """What the server holds while nothing is under way."""

    memory: int
    files: int
    tasks: int
    threads: int


class Outcome(NamedTuple):
    """The ledger of the clients, the server's own figures (`ok`, `error`, `gone`), what it held after each round."""

    ledger: dict[str, int]
    server: dict[str, int]
    held: list[Held]
    files: int
    """How many files were open before the first request."""


async def soak(seconds: float, seed: str) -> Outcome:
    """Run for `seconds`. Raises `AssertionError` for what does not add up or grows."""
    pick = random.Random(seed)
    unreliable = Unreliable(pick)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with running_upstream(unreliable) as upstream:
            (folder / "models.yaml").write_text(
                f"- {{model_id: chat, api_base: '{upstream.base}'}}\n"
                f"- {{model_id: native, api_base: '{upstream.base}', format: anthropic}}\n"
            )
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", _SERVER, str(folder / "held"), "serve", "--port", "0", "--metrics"),
                *("--models", str(folder / "models.yaml"), "--max-requests", str(MOST_AT_ONCE)),
                *(
                    "--max-retries",
                    "0",
                    "--usage-file",
                    str(folder / "usage.sqlite3"),
                    "--drain-timeout",
                    "0",
                ),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            try:
                assert process.stdout is not None
                line = await asyncio.wait_for(process.stdout.readline(), 60)
                proxy = Proxy(int(line.rpartition(b":")[2]), None, None)  # type: ignore[arg-type] # it is elsewhere
                traffic = Traffic(proxy, unreliable, pick)
                held = [await _held(process, proxy, folder / "held")]
                for _ in range(ROUNDS):
                    await traffic.run(seconds / ROUNDS)
                    held.append(await _held(process, proxy, folder / "held"))
                outcome = Outcome(dict(traffic.ledger), await _figures(proxy), held[1:], held[0].files)
            finally:
                process.terminate()
                await process.wait()
    check(outcome)
    return outcome


def check(outcome: Outcome) -> None:
    """Raises `AssertionError` for what does not add up or grows."""
    ledger, server = outcome.ledger, outcome.server
    kinds = ("answered", "failed", "refused", "unread", "turned_away", "cancelled")
    assert ledger["sent"] == sum(ledger.get(kind, 0) for kind in kinds), ledger
    cancelled = ledger.get("cancelled", 0)
    looked_at = sum(server.values())
    assert looked_at == ledger["sent"] - ledger.get("turned_away", 0) - ledger.get("unread", 0), outcome
    # A client that leaves may do so just after the last byte was sent, or after the upstream's failure.
    assert 0 <= server.get("ok", 0) - ledger["answered"] <= cancelled, outcome
    failures = ledger.get("failed", 0) + ledger.get("refused", 0)
    assert 0 <= server.get("error", 0) - failures <= cancelled, outcome
    first, last = outcome.held[0], outcome.held[-1]
    for one in outcome.held[1:]:
        assert one.tasks <= first.tasks, outcome.held
        assert one.threads <= first.threads + 1, outcome.held
        # Each upstream connection that was in use may be kept for the next request.
        assert one.files <= outcome.files + MOST_AT_ONCE + 4, outcome
    assert last.memory - first.memory < max(_ROOM, first.memory // 10), outcome.held


async def _held(process: asyncio.subprocess.Process, proxy: Proxy, report: Path) -> Held:
    for _ in range(100):
        if (await _metric(proxy, "claude_code_proxy_requests_in_flight")).get(
            "", 0
        ) <= 1:  # that of the question
            break
        await asyncio.sleep(0.05)
    else:
        raise AssertionError("requests stay under way")
    await asyncio.sleep(0.5)  # connections of clients that left
    return await asyncio.to_thread(_held_by, process.pid, report)


def _held_by(pid: int, report: Path) -> Held:
    report.unlink(missing_ok=True)
    os.kill(pid, signal.SIGUSR1)
    deadline = time.monotonic() + 20
    while not report.exists() or not (text := report.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    tasks, threads = map(int, text.split())
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Held(int(found[1]) * 1024, files, tasks, threads)


async def _figures(proxy: Proxy) -> dict[str, int]:
    return await _metric(proxy, "claude_code_proxy_requests_total", "outcome")


async def _metric(proxy: Proxy, name: str, label: str = "") -> dict[str, int]:
    """The sums of a metric, by one of its labels."""
    sums: dict[str, int] = {}
    text = (await ask(proxy, None, method="GET", path="/metrics")).body.decode()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name:
                key = sample.labels.get(label, "")
                sums[key] = sums.get(key, 0) + int(sample.value)
    return sums
