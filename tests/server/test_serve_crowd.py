"""A thousand connections, of which half are hostile: the others are served, and the memory stays bounded."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.server.byte_upstream import running_upstream, say_hello
from tests.server.harness import KEY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

BOUND = 400 << 20
"""Bytes that the server may take with all of them: about what SECURITY.md says, and 80 MB of its own."""
EACH = 100
BODY = b'{"model":"m","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"hi"}]}'
HEAD = f"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nx-api-key: {KEY}\r\n".encode()


async def endless_head(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"x-a: ")
    for _ in range(40):
        writer.write(b"a" * 50_000)
        await writer.drain()


async def half_head(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD)


async def half_body(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"content-length: 30000000\r\n\r\n" + b'{"a":"' + b"x" * 500_000)
    await writer.drain()


async def many_elements(writer: asyncio.StreamWriter) -> None:
    body = b'{"model":"m","messages":[' + b"{}," * 600_000 + b"{}]}"
    writer.write(HEAD + b"content-length: %d\r\n\r\n" % len(body) + body)
    await writer.drain()


async def silent(writer: asyncio.StreamWriter) -> None:
    del writer


HOSTILE: list[Callable[[asyncio.StreamWriter], Awaitable[None]]] = [
    endless_head,
    half_head,
    half_body,
    many_elements,
    silent,
]


def memory(pid: int) -> int:
    """The most bytes that a process has held so far."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is read in /proc")
async def test_half_of_a_thousand_connections_are_hostile(tmp_path: Path) -> None:
    models = tmp_path / "models.yaml"
    async with running_upstream(say_hello) as upstream:
        models.write_text(f"- {{model_id: m, api_base: '{upstream.base}'}}\n")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "claude_code_proxy", "serve", "--port", "0", "--models", str(models)),
            *("--log-level", "error", "--drain-timeout", "0"),
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 30)
        port = int(line.rpartition(b":")[2])
        writers: list[asyncio.StreamWriter] = []

        async def attack(kind: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> None:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writers.append(writer)
            with contextlib.suppress(ConnectionError):  # it was refused: good
                await kind(writer)

        async def ask() -> bool:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writers.append(writer)
            writer.write(HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY)
            answer = await reader.readuntil(b"\r\n0\r\n\r\n")
            return answer.startswith(b"HTTP/1.1 200") and b"message_stop" in answer

        try:
            attacks = [attack(kind) for _ in range(EACH) for kind in HOSTILE]
            asks = [ask() for _ in range(len(attacks))]
            both = [one for pair in zip(attacks, asks, strict=True) for one in pair]
            async with asyncio.timeout(120):
                results = await asyncio.gather(*both)
            assert results[1::2] == [True] * len(asks)
            assert memory(process.pid) < BOUND
        finally:
            for writer in writers:
                writer.transport.abort()
            process.terminate()
            await process.wait()
