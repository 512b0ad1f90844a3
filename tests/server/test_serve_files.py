"""Few file descriptors: fewer clients, no failures, and whoever asks for the server's health gets an answer."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.server import serve
from tests.server.byte_upstream import running_upstream, say_hello, text_chunk
from tests.server.harness import BODY, Client, Proxy, ask, eventually, model, running_proxy

if TYPE_CHECKING:
    from tests.server.byte_upstream import Connection, Request

FILES = 100


@pytest.mark.parametrize(
    ("limit", "clients"), [(64, 5), (100, 17), (256, 69), (1024, 325), (1 << 20, 21_829), (10, 1)]
)
def test_clients_by_the_limit(limit: int, clients: int, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (min(limit, 32), limit))
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: allowed.append(pair))
    assert serve._most_connections() == clients
    assert allowed in ([], [(min(limit, 65_536), limit)])


async def status(client: Client) -> int:
    """What is answered; 0 where the connection was refused while more was sent."""
    try:
        return (await client.head())[0]
    except ConnectionError:
        return 0


def open_files(pid: int | str) -> set[int]:
    return {int(path.name) for path in Path(f"/proc/{pid}/fd").iterdir()}


@pytest.mark.skipif(sys.platform != "linux", reason="open files are counted in /proc")
async def test_a_crowd_and_few_file_descriptors(tmp_path: Path) -> None:
    held = asyncio.Event()

    async def slow(request: Request, connection: Connection) -> None:
        await connection.head()
        await connection.event(text_chunk("Hel"))
        await held.wait()
        await connection.event(text_chunk("lo", finish="stop"))
        await connection.end()

    async with running_upstream(slow) as upstream:
        models = tmp_path / "models.yaml"
        models.write_text(f"- {{model_id: m, api_base: '{upstream.base}'}}\n")
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", f'ulimit -n {FILES}; exec "$@"', "sh", sys.executable, "-m", "claude_code_proxy"),
            *("serve", "--port", "0", "--models", str(models), "--hold", "0", "--usage-file", "no"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 30)
        port = int(line.rpartition(b":")[2])
        proxy = Proxy(port, None, None)  # type: ignore[arg-type] # it is in another process
        try:
            silent = [await Client.connect(proxy) for _ in range(150)]
            await asyncio.sleep(0.5)
            assert len(open_files(process.pid)) < FILES - 10
            for client in silent:
                client.close()
            await asyncio.sleep(0.5)
            streams = [await Client.connect(proxy) for _ in range(60)]
            for client in streams:
                with contextlib.suppress(ConnectionError):
                    await client.send({**BODY, "stream": True})
            statuses = [await status(client) for client in streams]
            assert 10 < statuses.count(200) < 20
            assert set(statuses) <= {200, 529, 0}
            for _ in range(5):
                assert (await ask(proxy, None, method="GET", path="/health")).status == 200
            held.set()
            for client, said in zip(streams, statuses, strict=True):
                if said == 200:
                    assert b"message_stop" in await client.reader.readuntil(b"\r\n0\r\n\r\n")
                client.close()
            await asyncio.sleep(0.2)
            assert (await ask(proxy)).status == 200
        finally:
            process.terminate()
            await process.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="open files are counted in /proc")
async def test_no_file_descriptor_for_an_upstream_is_no_outage_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_upstream(say_hello) as upstream, running_upstream(say_hello) as other:
        entries = [{**model(upstream.base), "fallback": ["n"]}, {**model(other.base), "model_id": "n"}]
        async with running_proxy(entries, max_retries=0) as proxy:
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            client = await Client.connect(proxy)
            await client.send(None, method="GET", path="/health")
            await client.reply()
            taken = open_files("self")
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(taken) + 1, hard))
            fill = [open("/dev/null") for _ in range(max(taken) + 1 - len(taken) + 1)]  # noqa: PTH123, SIM115, ASYNC230
            try:
                await client.send(BODY)
                reply = await client.reply()
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                for one in fill:
                    one.close()
            assert (reply.status, reply.json["error"]["type"]) == (529, "overloaded_error")
            assert "no file descriptor" in reply.json["error"]["message"]
            assert not other.requests
            await client.send(BODY)
            assert (await client.reply()).status == 200
            await eventually(lambda: len(upstream.requests) == 1)
            client.close()
