"""The end of a server: a request whose connection was made before it is answered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    import socket

_HANDSHAKE = 1.0  # seconds for the TLS of those that had just connected


class Server(uvicorn.Server):
    """uvicorn's, which would reset the connections that the kernel has made and nobody has accepted yet.

    Their clients have sent a request and could not tell whether it had started; who comes after them is
    refused, and can go elsewhere.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept what waits, stop listening, let running requests end. All `sockets` are one address."""
        waiting = _accept_all(sockets[0]) if sockets else []
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        late = [
            asyncio.ensure_future(
                loop.connect_accepted_socket(self._protocol, one, ssl=self.config.ssl or None)
            )
            for one in waiting
        ]
        if late:
            await asyncio.wait(late, timeout=_HANDSHAKE)
        await super().shutdown(sockets)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _protocol(self) -> asyncio.Protocol:
        make = self.config.http_protocol_class
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)  # type: ignore[call-arg]


def _accept_all(listener: socket.socket) -> list[socket.socket]:
    listener.setblocking(False)
    accepted: list[socket.socket] = []
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:  # none is left
            return accepted
        connection.setblocking(False)
        accepted.append(connection)
