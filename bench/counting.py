"""`python -m bench.counting`: how long `count_tokens` takes for a request of 500 kB; prints, judges nothing.

Two clients: one that sends its conversation again with one new turn, as Claude Code does, and one that always
sends texts nobody has seen. Needs nothing but the proxy; asks no model.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SIZE = 500_000
"""Bytes of a request."""
TIMES = 200
_TURNS = 100
_PHRASES = (
    "the request returns an error when self.timeout is None",
    "and then retries, as before; see the log.",
    "async def main() -> None:\n    await serve(port=8080)\n",
    '{"type": "string", "path": "src/app/main.py", "line": 42}',
    "const value = input[index] ?? defaults.value;\n",
    "处理请求并返回结果。",
)


def text(pick: random.Random, size: int) -> str:
    """Prose, code and JSON of about `size` bytes."""
    average = sum(len(phrase.encode()) + 1 for phrase in _PHRASES) / len(_PHRASES)
    return " ".join(pick.choices(_PHRASES, k=round(size / average)))


def request(messages: list[str]) -> bytes:
    """A request with these messages."""
    roles = ("user", "assistant")
    listed: list[dict[str, Any]] = [
        {"role": roles[at % 2], "content": content} for at, content in enumerate(messages)
    ]
    return json.dumps({"model": "m", "messages": listed}, ensure_ascii=False).encode()


def measure(port: int, bodies: list[bytes]) -> list[float]:
    """Milliseconds for each body, over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    taken: list[float] = []
    for body in bodies:
        started = time.perf_counter()
        connection.request("POST", "/v1/messages/count_tokens", body, {"authorization": "Bearer bench-key"})
        response = connection.getresponse()
        answer = json.loads(response.read())
        taken.append((time.perf_counter() - started) * 1000)
        assert answer["input_tokens"] > len(body) / 10, answer
    connection.close()
    return taken


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exact", action="store_true", help="with the tokenizer of the extra [tokens]")
    exact = parser.parse_args().exact
    pick = random.Random(1)
    turns = [text(pick, SIZE // _TURNS) for _ in range(_TURNS)]
    growing = [request([*turns, text(pick, SIZE // _TURNS)]) for _ in range(TIMES)]
    new = [request([text(pick, SIZE // _TURNS) for _ in range(_TURNS)]) for _ in range(TIMES)]
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models.yaml"
        models.write_text("- model_id: m\n  api_base: http://127.0.0.1:9/v1\n")
        command = [sys.executable, "-m", "claude_code_proxy", "serve", "--port", "0", "--models", str(models)]
        command += ["--log-level", "error", "--token-counts", "exact" if exact else "estimate"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline().strip().rpartition(":")[2])
            measure(port, growing[:5])
            for name, bodies in (("one new turn", growing), ("never seen before", new)):
                taken = sorted(measure(port, bodies))
                p99 = taken[int(len(taken) * 0.99)]
                size = statistics.mean(map(len, bodies)) / 1000
                print(f"{name:24}{size:6.0f} kB  p50 {statistics.median(taken):5.1f} ms  p99 {p99:5.1f} ms")
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
