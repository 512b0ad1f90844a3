"""A server that is told to end, under clients that connect without a pause."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from claude_code_proxy.server.drain import refuse_new
from tests.server.test_serve import get, served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REQUEST = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n"
CLIENTS = 12


@contextmanager
def asking(base: str, ask: Callable[[str, list[bytes]], None]) -> Iterator[list[bytes]]:
    """Clients under way, until there is nobody left to ask. Each of their requests must be answered."""
    get(f"{base}/health")
    answers: list[bytes] = []
    clients = [threading.Thread(target=ask, args=(base, answers)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    deadline = time.monotonic() + 30
    while len(answers) < 50:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield answers
    for client in clients:
        client.join(30)
        assert not client.is_alive()
    assert [answer[:15] for answer in answers if not answer.startswith(b"HTTP/1.1 200 OK")] == []


def family(pid: int) -> list[int]:
    """A process and its children; those of the server are its workers and a helper of multiprocessing."""
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [pid, *map(int, found.read_text().split())] if found.exists() else [pid]


@pytest.mark.parametrize("workers", [1, 2])
def test_whoever_got_a_connection_gets_an_answer(tmp_path: Path, workers: int) -> None:
    with served(tmp_path, workers) as (process, base), asking(base, ask):
        # Connections pile up before the server, as on a busy machine; then it is told to end.
        stopped = family(process.pid)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        assert process.wait(30) == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_kept_connection_is_closed_by_a_response_that_says_so(tmp_path: Path, workers: int) -> None:
    with served(tmp_path, workers) as (process, base), asking(base, ask_on):
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing keeps the kernel from connecting")
def test_a_listener_that_refuses_still_gives_what_it_has(tmp_path: Path) -> None:
    for family_, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.create_server((host, 0), family=family_) as listener:
            where = listener.getsockname()[:2]
            with socket.create_connection(where, timeout=5) as early:
                early.sendall(b"early")
                refuse_new(listener)
                with pytest.raises(TimeoutError):
                    socket.create_connection(where, timeout=0.2)
                accepted, _ = listener.accept()
                with accepted:
                    assert accepted.recv(9) == b"early"
                    early.sendall(b"late")
                    assert accepted.recv(9) == b"late"


def ask_on(base: str, answers: list[bytes]) -> None:
    """Ask over one connection until a response says that it is the last one, and then over another."""
    where = ("127.0.0.1", urlsplit(base).port or 0)
    answer = b"connection: close"
    while True:
        if b"connection: close" in answer:
            try:
                connection = socket.create_connection(where, timeout=20)
            except OSError:
                return
        try:
            connection.sendall(REQUEST)
            answer = b""
            while not answer.endswith(b"}"):
                answer += connection.recv(65536) or b"}"
        except OSError as error:
            answer = repr(error).encode()
        answers.append(answer)
        if b"connection: close" in answer or not answer.startswith(b"HTTP"):
            answer = b"connection: close"
            connection.close()


def ask(base: str, answers: list[bytes]) -> None:
    """Ask over a new connection each time until there is none to be had."""
    where = ("127.0.0.1", urlsplit(base).port or 0)
    while True:
        try:
            connection = socket.create_connection(where, timeout=20)
        except (ConnectionRefusedError, TimeoutError):
            return
        with connection:
            try:
                connection.sendall(REQUEST)
                answers.append(connection.recv(65536))
            except OSError as error:
                answers.append(repr(error).encode())
