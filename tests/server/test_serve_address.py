"""The address that the server listens on."""

from __future__ import annotations

import asyncio
import socket

import pytest

from claude_code_proxy.server.serve import _bind


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_free_port_is_taken(host: str) -> None:
    with _bind(host, 0) as listener:
        port = listener.getsockname()[1]
        assert port > 0
        socket.create_connection((listener.getsockname()[0], port), timeout=5).close()


def test_a_port_in_use_is_an_error() -> None:
    with _bind("127.0.0.1", 0) as listener, pytest.raises(OSError, match="in use"):
        _bind("127.0.0.1", listener.getsockname()[1])


async def test_small_writes_are_not_held_back() -> None:
    accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        accepted.set_result(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()
        await writer.wait_closed()

    listener = _bind("127.0.0.1", 0)
    async with await asyncio.start_server(accept, sock=listener):
        _, writer = await asyncio.open_connection(*listener.getsockname())
        assert await accepted
        writer.close()
        await writer.wait_closed()
