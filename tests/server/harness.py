"""The proxy in this process, on a real port, and a client that shows raw bytes."""

from __future__ import annotations

import asyncio
import io
import json
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
import yaml

from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.server import log
from claude_code_proxy.server.app import App
from claude_code_proxy.server.connections import Connections

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from claude_code_proxy.server.caller.session_keys import SessionKeys
    from claude_code_proxy.server.gateway import Gateway

KEY = "planted-key-4711"
BODY: dict[str, Any] = {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}


def log_in_memory(form: str = "text") -> io.StringIO:
    """What a server writes that was configured as `serve` does it; for tests with the fixture `loggers`."""
    log.configure("info", form)
    handler = log.logger.handlers[0]
    assert isinstance(handler, log.Handler)
    handler.setStream(stream := io.StringIO())
    return stream


@dataclass
class Proxy:
    port: int
    gateway: Gateway
    connections: Connections

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[dict[str, Any]]:
        blocks = [block for block in self.body.decode().split("\n\n") if block]
        events = []
        for block in blocks:
            name, data = block.split("\n")
            event = json.loads(data.removeprefix("data: "))
            assert name == f"event: {event['type']}"
            events.append(event)
        return events

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]


@asynccontextmanager
async def running_proxy(
    models: list[dict[str, Any]], session_keys: SessionKeys | None = None, /, **settings: Any
) -> AsyncIterator[Proxy]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "models.yaml"
        path.write_text(yaml.safe_dump(models, sort_keys=False))
        chosen = ServerSettings(models=path, **settings)
        app = App(chosen, session_keys=session_keys)
        connections = Connections(chosen)
        config = uvicorn.Config(
            app,
            http=connections.protocol,  # type: ignore[arg-type] # what makes one will do
            port=0,
            lifespan="on",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        task = asyncio.create_task(server._serve())
        while not server.started:
            assert not task.done()
            await asyncio.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield Proxy(port, app.gateway, connections)
        finally:
            server.should_exit = True
            await task
            await app.gateway.upstreams.close()


def model(base: str, **more: Any) -> dict[str, Any]:
    return {"model_id": "m", "api_base": base, **more}


class Client:
    """One raw HTTP/1.1 connection to the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, proxy: Proxy, limit: int = 1 << 16) -> Client:
        return cls(*await asyncio.open_connection("127.0.0.1", proxy.port, limit=limit))

    async def send(
        self,
        body: Any = None,
        *,
        method: str = "POST",
        path: str = "/v1/messages?beta=true",
        headers: dict[str, str] | None = None,
        key: str | None = KEY,
    ) -> None:
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = {"host": "127.0.0.1", "content-length": str(len(data)), **(headers or {})}
        if key is not None:
            sent.setdefault("authorization", f"Bearer {key}")
        head = "\r\n".join([f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in sent.items()), "", ""])
        self.writer.write(head.encode("latin-1") + data)
        await self.writer.drain()

    async def head(self) -> tuple[int, dict[str, str]]:
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:] if line)
        return int(lines[0].split(" ")[1]), {name.lower(): value for name, value in headers.items()}

    async def chunk(self) -> bytes:
        """The next chunk of a chunked body; b"" is its end."""
        size = int(await self.reader.readline(), 16)
        data = await self.reader.readexactly(size)
        await self.reader.readexactly(2)
        return data

    async def reply(self, *, method: str = "POST") -> Reply:
        status, headers = await self.head()
        if method == "HEAD":
            return Reply(status, headers, b"")
        if "content-length" in headers:
            return Reply(status, headers, await self.reader.readexactly(int(headers["content-length"])))
        parts = []
        while part := await self.chunk():
            parts.append(part)
        return Reply(status, headers, b"".join(parts))

    def close(self) -> None:
        self.writer.close()


async def ask(proxy: Proxy, body: Any = BODY, **how: Any) -> Reply:
    """One request over its own connection."""
    client = await Client.connect(proxy)
    try:
        await client.send(body, **how)
        return await client.reply(method=how.get("method", "POST"))
    finally:
        client.close()
        await asyncio.sleep(0)


async def eventually(condition: Any, within: float = 5.0) -> None:
    """Wait until `condition()` holds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while not condition():
        assert loop.time() < deadline, "it did not come to pass"
        await asyncio.sleep(0.01)
