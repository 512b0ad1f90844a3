"""Serve an ASGI app on a loopback port: for as long as a block of code runs, or until a signal."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

import uvicorn

LOOPBACK = "127.0.0.1"


class _Server(uvicorn.Server):
    """A uvicorn server that leaves the process's signal handlers alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Take no signal: the code around the server decides when it stops."""
        yield


class _AnnouncingServer(uvicorn.Server):
    """A uvicorn server that says when it is up, and from when on a signal ends it in good order."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve, then announce it."""
        await super().startup(sockets)
        self._announce()


@contextlib.asynccontextmanager
async def running(app: Any) -> AsyncIterator[str]:
    """Serve `app` in the running event loop; yields the base URL without a path, stops at the end."""
    listener, url = _listen(0)
    server = _Server(_config(app))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield url
    finally:
        server.should_exit = True
        await task


@contextlib.contextmanager
def serve_in_thread(app: Any) -> Iterator[str]:
    """Serve `app` in a thread of its own, for tests without an event loop; yields the base URL."""
    listener, url = _listen(0)
    server = _Server(_config(app))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
    thread.start()
    try:
        yield url
    finally:
        server.should_exit = True
        thread.join()


def serve_until_stopped(app: Any, port: int, announce: Callable[[str], None]) -> None:
    """Serve `app` until SIGINT or SIGTERM; `announce` gets the base URL when it is good. Raises `OSError`."""
    listener, url = _listen(port)
    with contextlib.suppress(KeyboardInterrupt):
        _AnnouncingServer(_config(app), lambda: announce(url)).run(sockets=[listener])


def _listen(port: int) -> tuple[socket.socket, str]:
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


def _config(app: Any) -> uvicorn.Config:
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
