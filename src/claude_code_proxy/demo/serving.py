"""Serve an ASGI app on a loopback port until a signal."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import Any

import uvicorn

LOOPBACK = "127.0.0.1"


class _AnnouncingServer(uvicorn.Server):
    """A uvicorn server that says when it is up, and from when on a signal ends it in good order."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve, then announce it."""
        await super().startup(sockets)
        self._announce()


def serve_until_stopped(app: Any, port: int, announce: Callable[[str], None]) -> None:
    """Serve `app` until SIGINT or SIGTERM; `announce` gets the base URL when it is good. Raises `OSError`."""
    listener, url = listen(port)
    with contextlib.suppress(KeyboardInterrupt):
        _AnnouncingServer(config(app), lambda: announce(url)).run(sockets=[listener])


def listen(port: int) -> tuple[socket.socket, str]:
    """A listening socket, so that the address is good before the server's first turn, and its URL."""
    # The protocol must be said: asyncio turns Nagle's algorithm off only for sockets that name TCP.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener, f"http://{LOOPBACK}:{listener.getsockname()[1]}"


def config(app: Any) -> uvicorn.Config:
    """Quiet settings: the cut connections that tests ask for are no news, and stalls end with the server."""
    return uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
