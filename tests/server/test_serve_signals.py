"""What ends the server, and what does not: each process is killed or asked in its turn."""

from __future__ import annotations

import signal
import socket
import time
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.server.test_serve import get, served

if TYPE_CHECKING:
    from pathlib import Path


def is_taken(base: str) -> bool:
    """Whether anybody listens at `base`."""
    parts = urlsplit(base)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 0), timeout=2).close()
    except OSError:
        return False
    return True


def test_workers_end_with_their_supervisor_however_it_went(tmp_path: Path) -> None:
    with served(tmp_path, workers=2) as (process, base):
        assert get(f"{base}/health")["status"] == "ok"
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        deadline = time.monotonic() + 20
        while is_taken(base):
            assert time.monotonic() < deadline, "the workers go on without their supervisor"
            time.sleep(0.1)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_hang_up_cuts_nothing(tmp_path: Path, workers: int) -> None:
    with served(tmp_path, workers=workers) as (process, base):
        assert get(f"{base}/health")["status"] == "ok"
        process.send_signal(signal.SIGHUP)
        for _ in range(20):
            time.sleep(0.05)
            with urllib.request.urlopen(f"{base}/health", timeout=20) as response:
                assert response.status == 200
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_that_is_told_to_end_while_it_starts_ends(tmp_path: Path, workers: int) -> None:
    for delay in (0.0, 0.3, 0.8):
        with served(tmp_path, workers=workers) as (process, _):
            time.sleep(delay)
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=30)  # until none of its processes has the pipe
        assert process.returncode == 0
        assert "Traceback" not in errors
