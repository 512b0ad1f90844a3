"""The load program: built from load.c, driven over its standard input and output."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .workload import Answer

CACHE = Path(__file__).parent.parent / ".cache" / "bench"
PROXY_CPU = 0
LOAD_CPU = 1


class MissingError(Exception):
    """Something that the benchmark needs is not on this machine; the message says how to get it."""


class Quantiles(NamedTuple):
    """Of a run, in microseconds."""

    p50: float
    p99: float
    max: float


class Run(NamedTuple):
    """What one run brought."""

    requests: int
    failed: int
    seconds: float
    reads: int
    generator_cpu: float
    ttft: Quantiles
    latency: Quantiles
    gap: Quantiles

    @property
    def rate(self) -> float:
        """Complete answers per second."""
        return self.requests / self.seconds if self.seconds else 0.0


class Load:
    """The running program. `upstream` is the port on which it answers as the provider."""

    def __init__(self) -> None:
        CACHE.mkdir(parents=True, exist_ok=True)
        program = _build()
        self._process = subprocess.Popen(
            ["taskset", "-c", str(LOAD_CPU), program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._request = CACHE / "request.bin"
        self._answer = CACHE / "answer.bin"
        self.upstream: int = self._command("listen")["port"]

    def answer(self, answer: Answer, pace: float = 0.0) -> None:
        """From now on the upstream answers so, with `pace` seconds between two pieces."""
        self._answer.write_bytes(answer.dump())
        self._command(f"answer {self._answer} {round(pace * 1e6)}")

    def run(
        self,
        port: int,
        request: bytes,
        *,
        connections: int,
        count: int,
        seconds: float,
        last: str,
        first: str,
    ) -> Run:
        """Send `request` (with its HTTP head) until `count` were sent or `seconds` have passed."""
        self._request.write_bytes(request)
        told = self._command(
            f"run {port} {self._request} {connections} {count} {round(seconds * 1000)} {first} {last}"
        )
        return Run(
            told["requests"],
            told["errors"] + told["refused"] + told["incomplete"],
            told["seconds"],
            told["reads"],
            told["generator_cpu"],
            Quantiles(**told["ttft"]),
            Quantiles(**told["latency"]),
            Quantiles(**told["gap"]),
        )

    def close(self) -> None:
        """End the program."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)

    def _command(self, line: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the load program ended at: {line}")
        told: dict[str, Any] = json.loads(answer)
        return told


def _build() -> Path:
    source = Path(__file__).parent / "load.c"
    program = CACHE / "load"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            raise MissingError(
                "a C compiler is needed for the load program: on Debian, apt install gcc libc6-dev"
            )
        subprocess.run([compiler, "-O2", "-o", program, source], check=True)
    return program
