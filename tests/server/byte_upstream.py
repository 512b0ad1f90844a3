"""A scripted upstream with control over every byte: a raw asyncio HTTP/1.1 server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass
class Request:
    """What the upstream received."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """The upstream's side of one exchange."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def raw(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def head(self, status: int = 200, kind: str = "text/event-stream", **headers: str) -> None:
        """Status line and headers of a chunked answer."""
        headers = {"content-type": kind, **headers, "transfer-encoding": "chunked"}
        lines = [f"HTTP/1.1 {status} Whatever", *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items())]
        await self.raw("\r\n".join([*lines, "", ""]).encode())

    async def chunk(self, data: bytes) -> None:
        await self.raw(b"%x\r\n%b\r\n" % (len(data), data))

    async def event(self, payload: Any) -> None:
        await self.chunk(b"data: " + json.dumps(payload).encode() + b"\n\n")

    async def end(self) -> None:
        await self.raw(b"0\r\n\r\n")

    async def whole(self, status: int, body: bytes | dict[str, Any], **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"content-type": "application/json", **headers, "content-length": str(len(data))}
        lines = [f"HTTP/1.1 {status} Whatever", *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items())]
        await self.raw("\r\n".join([*lines, "", ""]).encode() + data)

    async def left(self) -> None:
        """Wait until the proxy has closed the connection."""
        while await self._reader.read(65536):
            pass

    def reset(self) -> None:
        self._writer.transport.abort()


Script = Callable[[Request, Connection], Awaitable[None]]


@dataclass
class Upstream:
    """Runs `script` for each request and remembers what came."""

    script: Script
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    open_connections: int = 0
    base: str = ""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_connections += 1
        try:
            while (request := await _read_request(reader)) is not None:
                self.requests.append(request)
                await self.script(request, Connection(reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open_connections -= 1
            writer.close()


async def _read_request(reader: asyncio.StreamReader) -> Request | None:
    line = await reader.readline()
    if not line:
        return None
    method, path, _ = line.decode().split(" ", 2)
    headers: list[tuple[str, str]] = []
    while (line := await reader.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode().partition(":")
        headers.append((name.strip(), value.strip()))
    length = int(next((v for k, v in headers if k.lower() == "content-length"), "0"))
    return Request(method, path, headers, await reader.readexactly(length))


@asynccontextmanager
async def running_upstream(script: Script) -> AsyncIterator[Upstream]:
    upstream = Upstream(script)
    server = await asyncio.start_server(upstream._serve, "127.0.0.1", 0, limit=1 << 20)
    upstream.base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield upstream
    finally:
        server.close()


def text_chunk(text: str | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """A Chat Completions chunk."""
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": [choice], **more}


USAGE = {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}


async def say_hello(request: Request, connection: Connection) -> None:
    """A well-behaved Chat Completions provider."""
    if request.json.get("stream"):
        await connection.head()
        for text in ("Hel", "lo"):
            await connection.event(text_chunk(text))
        await connection.event(text_chunk(finish="stop"))
        await connection.event({**text_chunk(), "choices": [], "usage": USAGE})
        await connection.chunk(b"data: [DONE]\n\n")
        await connection.end()
        return
    message = {"role": "assistant", "content": "Hello"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    answer = {"id": "c1", "object": "chat.completion", "model": "m", "choices": [choice], "usage": USAGE}
    await connection.whole(200, answer, x_request_id="up-1")
