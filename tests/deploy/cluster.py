"""Three instances of the server behind a real front, a provider that tells them apart, and clients."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import ssl
import sys
from collections import defaultdict
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import yaml

from tests.server.byte_upstream import running_upstream, say_hello, text_chunk

from .fronts import running_front

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.server.byte_upstream import Connection, Request

INSTANCES = 3
MESSAGE = 30.0  # seconds for one request


@dataclass
class Provider:
    """Knows by the path which instance asked it, and by the first prompt for which conversation."""

    homes: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    bodies: dict[str, Any] = field(default_factory=dict)
    open_gate: asyncio.Event = field(default_factory=asyncio.Event)
    steps: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    async def answer(self, request: Request, connection: Connection) -> None:
        prompt = request.json["messages"][0]["content"].strip()
        self.homes[prompt].append(int(request.path.split("/")[1]))
        self.bodies[prompt] = request.json
        if prompt.startswith("hold"):
            await connection.head()
            await connection.event(text_chunk("begun"))
            await self.open_gate.wait()
            await connection.event(text_chunk("ended", "stop"))
            await connection.chunk(b"data: [DONE]\n\n")
            await connection.end()
        elif prompt.startswith("steps"):
            await connection.head()
            for number in range(5):
                await connection.event(text_chunk(f"step {number} "))
                await self.steps.acquire()
            await connection.event(text_chunk(finish="stop"))
            await connection.end()
        else:
            await say_hello(request, connection)


@dataclass
class Answer:
    """What a client got: a status, the events' text, and whether it was whole."""

    status: int = 0
    text: str = ""
    error: str = ""
    started: float = 0

    @property
    def is_whole(self) -> bool:
        return self.status == 200 and "event: message_stop" in self.text and not self.error

    @property
    def is_reported(self) -> bool:
        """An error, or a cut that the client could see."""
        return bool(self.error) or self.status >= 500 or "event: error" in self.text


@dataclass
class Cluster:
    """`url` is the front's."""

    url: str
    provider: Provider
    processes: list[asyncio.subprocess.Process]
    client: aiohttp.ClientSession

    @asynccontextmanager
    async def post(self, prompt: str, headers: dict[str, str], more: Any = ()) -> AsyncIterator[Any]:
        body = {"model": "m", "max_tokens": 100, "stream": True}
        messages = [{"role": "user", "content": prompt}, *more]
        headers = {"content-type": "application/json", "x-api-key": "key-of-all", **headers}
        data = io.BytesIO(json.dumps({**body, "messages": messages}).encode())
        async with self.client.post(f"{self.url}/v1/messages", data=data, headers=headers) as response:
            yield response

    async def ask(
        self, prompt: str, headers: dict[str, str] | None = None, more: Any = (), answer: Answer | None = None
    ) -> Answer:
        """Ask in the session `prompt`, unless there are other headers; fills `answer` as it comes."""
        answer = answer or Answer()
        headers = headers or {"x-claude-code-session-id": prompt}
        try:
            async with (
                asyncio.timeout(MESSAGE),
                self.post(prompt, headers, more) as response,
            ):
                answer.status = response.status
                async for piece in response.content.iter_any():
                    answer.text += piece.decode()
        except (aiohttp.ClientError, TimeoutError) as error:
            answer.error = repr(error)
        return answer


@asynccontextmanager
async def running_cluster(front: str, folder: Path) -> AsyncIterator[Cluster]:
    """Three instances, each of which asks the provider under a path of its own."""
    provider = Provider()
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(running_upstream(provider.answer))
        processes = []
        for number in range(INSTANCES):
            models = folder / f"models-{number}.yaml"
            models.write_text(yaml.safe_dump([{"model_id": "m", "api_base": f"{upstream.base}/{number}"}]))
            processes.append(await _instance(models, folder / f"instance-{number}.log"))
            stack.push_async_callback(_end, processes[-1])
        ports = [await _port(process) for process in processes]  # they start side by side
        url = await stack.enter_async_context(running_front(front, ports, folder))
        trusted = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        connector = aiohttp.TCPConnector(ssl=trusted, limit=0, force_close=True)
        client = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        yield Cluster(url, provider, processes, client)


async def _instance(models: Path, log: Path) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "claude_code_proxy", "serve", "--port", "0", "--models", str(models)]
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    with log.open("wb") as errors:
        return await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=errors, env=environment
        )


async def _port(process: asyncio.subprocess.Process) -> int:
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
    found = re.search(r":(\d+)$", line.strip())
    assert found is not None, line
    return int(found[1])


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.communicate()


def texts(stream: str) -> str:
    """All text of a stream's events."""
    events = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: ")]
    return "".join(event.get("delta", {}).get("text", "") for event in events)
