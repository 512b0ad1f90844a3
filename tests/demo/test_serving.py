"""The sockets that the demo's servers listen on."""

from __future__ import annotations

import socket

import pytest

from claude_code_proxy.demo.serving import listen


def test_the_socket_names_its_protocol() -> None:
    """Without it asyncio leaves Nagle's algorithm on, and every second small write waits 40 ms."""
    listener, url = listen(0)
    with listener:
        assert listener.proto == socket.IPPROTO_TCP
        assert url == f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_port_in_use_is_an_error() -> None:
    listener, _ = listen(0)
    with listener, pytest.raises(OSError, match="in use"):
        listen(listener.getsockname()[1])
