"""A server that is told to end, under clients that connect without a pause."""

from __future__ import annotations

import signal
import socket
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.server.test_serve import get, served

if TYPE_CHECKING:
    from pathlib import Path

REQUEST = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n"
CLIENTS = 12


def test_whoever_got_a_connection_gets_an_answer(tmp_path: Path) -> None:
    with served(tmp_path) as (process, base):
        get(f"{base}/health")
        answers: list[bytes] = []
        clients = [threading.Thread(target=ask, args=(base, answers)) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        deadline = time.monotonic() + 20
        while len(answers) < 50:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        # Connections pile up before the server, as on a busy machine; then it is told to end.
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        for client in clients:
            client.join(30)
            assert not client.is_alive()
        assert process.wait(20) == 0
    assert [answer[:15] for answer in answers if not answer.startswith(b"HTTP/1.1 200 OK")] == []


def ask(base: str, answers: list[bytes]) -> None:
    """Ask over a new connection each time until there is none to be had."""
    where = ("127.0.0.1", urlsplit(base).port or 0)
    while True:
        try:
            connection = socket.create_connection(where, timeout=20)
        except ConnectionRefusedError:
            return
        with connection:
            try:
                connection.sendall(REQUEST)
                answers.append(connection.recv(65536))
            except OSError as error:
                answers.append(repr(error).encode())
