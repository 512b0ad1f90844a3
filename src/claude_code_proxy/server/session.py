"""Serve one session of Claude Code: on a socket that is already bound, until its client ends."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import uvicorn

from claude_code_proxy.config.models_yaml.models_file import FixedModels
from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.server.caller.session_keys import SessionKeys

from .app import App
from .serve import Config

_LOOK_EVERY = 0.25  # seconds between two looks whether the client still lives
_DRAIN = 1.0  # seconds for requests whose client is gone


def serve_session(
    settings: ServerSettings,
    models: FixedModels | None,
    keys: SessionKeys,
    listener: socket.socket,
    client_pid: int,
    look: Callable[[], object] = lambda: None,
) -> None:
    """Serve on `listener` until the process `client_pid` ends, or until SIGTERM.

    `models` None: those of the settings' models file. Ctrl-C is for the client alone. `look` is called
    now and then, in a thread of its own.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = replace(settings, workers=1, drain_timeout=_DRAIN)
    server = _Server(Config(App(settings, models, keys), settings))
    threading.Thread(target=_end_with, args=(client_pid, server, look), daemon=True).start()
    server.run(sockets=[listener])


def _end_with(client_pid: int, server: uvicorn.Server, look: Callable[[], object]) -> None:
    """Wait for the client to end. Asking is all that works on every system: others are not told."""
    while _is_alive(client_pid):
        time.sleep(_LOOK_EVERY)
        look()
    server.should_exit = True


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:  # there is none, or it is somebody else's by now
        return False
    return True


class _Server(uvicorn.Server):
    """A server that one signal ends, with exit code 0."""

    def handle_exit(self, sig: int, frame: object) -> None:  # noqa: ARG002 - uvicorn's signature
        """Take SIGTERM; uvicorn would raise it again once it is done."""
        if sig != signal.SIGINT:
            self.should_exit = True
