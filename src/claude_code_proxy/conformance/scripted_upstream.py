"""The scripted upstream: an OpenAI-compatible server on loopback that misbehaves as told, byte by byte.

It is a bare socket server, because what it has to do is what HTTP servers exist to prevent: answers that end
in the middle, connections that are reset, headers that never come.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import struct
from collections.abc import AsyncIterator, Iterable
from http import HTTPStatus
from typing import Any

from claude_code_proxy.conformance.behaviour import Behaviour, Mode
from claude_code_proxy.conformance.script import Reply

LOOPBACK = "127.0.0.1"

_NAMED = re.compile(rb"behaviour:\s*([a-z0-9_.]+)")
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 seconds
_BEFORE_RESET = 0.05  # seconds for the peer to read what came before: a reset throws away what it has not
_HEADER_LIMIT = 1 << 16


@contextlib.asynccontextmanager
async def serving(behaviours: Iterable[Behaviour], port: int = 0) -> AsyncIterator[str]:
    """Serve `behaviours` on loopback; yields the base URL, which ends in `/v1`. Raises `OSError`."""
    upstream = _Upstream(behaviours)
    server = await asyncio.start_server(upstream.serve, LOOPBACK, port, limit=_HEADER_LIMIT)
    try:
        yield f"http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()
        await upstream.stop()


class _Upstream:
    def __init__(self, behaviours: Iterable[Behaviour]) -> None:
        self._behaviours = {behaviour.id.encode(): behaviour for behaviour in behaviours}
        self._running: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, then end the connection."""
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                path, body = await _read_request(reader)
                await self._answer(path, body, reader, writer)
        except asyncio.CancelledError:
            pass  # the suite is over
        finally:
            self._running.discard(task)
            writer.close()

    async def stop(self) -> None:
        """End every connection that is still open."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _answer(
        self, path: str, body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        named = _NAMED.findall(body)
        behaviour = self._behaviours.get(named[-1]) if named else None
        if not path.endswith("/chat/completions"):
            await _refuse(writer, 404, f"no endpoint {path}")
        elif behaviour is None:
            await _refuse(writer, 400, "the request names no behaviour")
        else:
            await _play(behaviour.reply(_asked(body)), reader, writer)


def _asked(body: bytes) -> Mode:
    try:
        return "stream" if json.loads(body).get("stream") else "whole"
    except (ValueError, AttributeError):
        return "whole"


async def _read_request(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:]) if value
    }
    path = head[0].split(" ")[1].partition("?")[0]
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return path, await reader.readexactly(int(headers.get("content-length", "0")))
    parts = []
    while size := int((await reader.readline()).partition(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readline()
    await reader.readline()
    return path, b"".join(parts)


async def _refuse(writer: asyncio.StreamWriter, status: int, message: str) -> None:
    body = json.dumps({"error": {"message": message, "type": "invalid_request_error", "code": None}})
    headers = {"content-type": "application/json", "content-length": str(len(body))}
    writer.write(_head(status, headers) + body.encode())
    await writer.drain()


def _head(status: int, headers: dict[str, Any]) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "connection: close", "", ""]).encode("latin-1")


async def _play(reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not reply.headless:
        await _send(reply, writer)
    if reply.end == "stall":
        await reader.read()  # until the gateway gives up
    elif reply.end == "reset":
        await asyncio.sleep(_BEFORE_RESET)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.transport.abort()


async def _send(reply: Reply, writer: asyncio.StreamWriter) -> None:
    headers: dict[str, Any] = dict(reply.headers)
    chunked = reply.framing == "chunked"
    if chunked:
        headers["transfer-encoding"] = "chunked"
    elif reply.framing == "length":
        # An answer that is to be cut promises more than it brings.
        missing = 0 if reply.end == "end" else 1000
        headers["content-length"] = sum(map(len, reply.writes)) + missing
    writer.write(_head(reply.status, headers))
    await writer.drain()
    for step in reply.wire_steps:
        if isinstance(step, float):
            await asyncio.sleep(step)
            continue
        if step:
            writer.write(b"%x\r\n%b\r\n" % (len(step), step) if chunked else step)
            await writer.drain()
            await asyncio.sleep(0)  # so that small writes stay separate reads where they can
    if chunked and reply.end == "end":
        writer.write(b"0\r\n\r\n")
        await writer.drain()
