"""A server with control over every byte, with or without TLS, and a proxy."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@dataclass
class Peer:
    """One connection as the server sees it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def request(self) -> tuple[str, bytes]:
        """Head and body of the next request. Raises `IncompleteReadError` when there is none."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lengths = [line for line in head.split("\r\n") if line.lower().startswith("content-length:")]
        return head, await self.reader.readexactly(int(lengths[0].split(":")[1]) if lengths else 0)

    def reset(self) -> None:
        """End the connection with a reset instead of an end (SO_LINGER with no time to linger)."""
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.writer.transport.abort()

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0.005 if len(pieces) > 1 else 0)

    async def left(self) -> None:
        """Wait until the client has closed the connection."""
        with suppress(ConnectionError):
            while await self.reader.read(1 << 16):
                pass


Handler = Callable[[Peer], Awaitable[None]]


@dataclass
class Server:
    scheme: str
    port: int = 0
    connections: int = 0
    open: int = 0
    requests: list[tuple[str, bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}"


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Run `handler` for each connection; it is closed when the handler returns."""
    server = Server("https" if tls else "http")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        server.open += 1
        try:
            await handler(Peer(reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            server.open -= 1
            writer.transport.abort() if tls else writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls, limit=1 << 20)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()


def answering(*pieces: bytes, seen: list[tuple[str, bytes]] | None = None) -> Handler:
    """Answer each request of a connection with `pieces`, written one by one."""

    async def handler(peer: Peer) -> None:
        while True:
            request = await peer.request()
            if seen is not None:
                seen.append(request)
            await peer.send(*pieces)

    return handler


def answering_once(*pieces: bytes) -> Handler:
    """Answer one request and close the connection."""

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(*pieces)

    return handler


def proxying(seen: list[str]) -> Handler:
    """A proxy that connects to whatever it is asked for."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def handler(peer: Peer) -> None:
        head, _ = await peer.request()
        seen.append(head)
        port = int(head.split(" ")[1].rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await peer.send(b"HTTP/1.1 200 Connected\r\n\r\n")
        await asyncio.gather(pump(peer.reader, writer), pump(reader, peer.writer))

    return handler


async def eventually(condition: Callable[[], bool], within: float = 3.0) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while not condition():
        assert loop.time() < deadline, "it did not come to pass"
        await asyncio.sleep(0.005)
