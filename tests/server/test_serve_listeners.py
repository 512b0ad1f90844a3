"""How the server listens: one address, several listeners, since uvloop takes one connection of each in a turn."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import uvicorn

from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.server.serve import serve

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_several_listeners_share_an_address(
    loggers: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    models = tmp_path / "models.yaml"
    models.write_text("- model_id: m\n  api_base: http://127.0.0.1:9\n")
    seen: list[socket.socket] = []

    def run(self: uvicorn.Server, sockets: list[socket.socket]) -> None:
        seen.extend(sockets)
        assert len({one.getsockname() for one in sockets}) == 1
        clients = [socket.create_connection(sockets[0].getsockname(), timeout=5) for _ in sockets]
        for listener in sockets:  # each can take the next connection, whichever it is
            listener.settimeout(5)
            listener.accept()[0].close()
        for client in clients:
            client.close()

    monkeypatch.setattr(uvicorn.Server, "run", run)
    assert serve(ServerSettings(models=models, port=0)) == 0
    assert len(seen) == 16
    assert all(one.fileno() == -1 for one in seen)
