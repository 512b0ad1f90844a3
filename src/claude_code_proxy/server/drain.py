"""The end of a server: a request whose connection was made before it is answered."""

from __future__ import annotations

import asyncio
import ctypes
import multiprocessing
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import NamedTuple

import uvicorn

_HANDSHAKE = 1.0  # seconds for the TLS of those that had just connected
_ON_THEIR_WAY = 0.05  # seconds for connections that were being made
_SO_ATTACH_FILTER = 26  # Linux's
_DROP_SYN = (  # classic BPF over a TCP header: code, jump if true, jump if false, operand
    (0x30, 0, 0, 13),  # load the flags
    (0x45, 0, 1, 0x02),  # SYN?
    (0x06, 0, 0, 0),  # drop
    (0x06, 0, 0, 0xFFFF_FFFF),  # take
)


class Admin(NamedTuple):
    """The listener apart from the clients': its socket, and what makes the protocol of a connection."""

    listener: socket.socket
    protocol: Callable[..., asyncio.Protocol]


class Server(uvicorn.Server):
    """uvicorn's, which would reset the connections that the kernel has made and nobody has accepted yet.

    Their clients have sent a request and could not tell whether it had started; who comes after them is
    refused, and can go elsewhere. `ready` is called once it listens.
    """

    def __init__(
        self, config: uvicorn.Config, admin: Admin | None = None, ready: Callable[[], object] | None = None
    ) -> None:
        super().__init__(config)
        self._admin = admin
        self._ready = ready

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to end; a signal that comes before the loop runs is not lost in its making."""
        with self.capture_signals():
            super().run(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, for administrators too."""
        await super().startup(sockets)
        if self._admin is not None:
            make = self._admin.protocol
            loop = asyncio.get_running_loop()
            self.servers.append(
                await loop.create_server(
                    lambda: self._protocol(make), sock=self._admin.listener, ssl=self.config.ssl or None
                )
            )
        if self._ready is not None:
            self._ready()

    async def on_tick(self, counter: int) -> bool:
        """Do what is due, every tenth of a second."""
        self.last_notified = 0.0  # uvicorn compares it with the time of day, which may be set back
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept what waits, stop listening, let running requests end. All `sockets` are one address."""
        late: list[asyncio.Task[object]] = []
        if sockets:
            supervisor = multiprocessing.parent_process()
            if supervisor is None or not supervisor.is_alive():  # else other processes listen there too
                refuse_new(sockets[0])
            late += self._accept_all(sockets[0])
            await asyncio.sleep(_ON_THEIR_WAY)
            late += self._accept_all(sockets[0])
        for server in self.servers:
            server.close()
        if late:
            await asyncio.wait(late, timeout=_HANDSHAKE)
        await super().shutdown(sockets)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _accept_all(self, listener: socket.socket) -> list[asyncio.Task[object]]:
        loop = asyncio.get_running_loop()
        make = self.config.http_protocol_class
        return [
            loop.create_task(
                loop.connect_accepted_socket(
                    lambda: self._protocol(make),
                    connection,
                    ssl=self.config.ssl or None,
                )
            )
            for connection in _accepted(listener)
        ]

    def _protocol(self, make: Callable[..., asyncio.Protocol]) -> asyncio.Protocol:
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)


def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's
    """Take SIGTERM before the server does, and when it raises it again after draining: a clean end."""
    raise SystemExit(0)


def refuse_new(listener: socket.socket) -> None:
    """Have the kernel make no more connections; those that it has made can still be accepted. Linux only.

    Between the last accept and the close of a listener others would get a connection, and lose it. With
    this they wait for the second that TCP takes to ask again, and are refused, or meet who listens then.
    """
    if sys.platform == "linux":
        program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in _DROP_SYN))
        with suppress(OSError):
            listener.setsockopt(
                socket.SOL_SOCKET,
                _SO_ATTACH_FILTER,
                struct.pack("HP", len(_DROP_SYN), ctypes.addressof(program)),
            )


def _accepted(listener: socket.socket) -> list[socket.socket]:
    listener.setblocking(False)
    accepted: list[socket.socket] = []
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:  # none is left
            return accepted
        connection.setblocking(False)
        accepted.append(connection)
