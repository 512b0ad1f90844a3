"""The address that the server listens on."""

from __future__ import annotations

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
