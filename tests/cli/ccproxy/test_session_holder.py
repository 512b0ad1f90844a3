"""A session whose private proxy is killed: it goes on, at the same port, which nobody else gets."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from contextlib import contextmanager, suppress
from http.client import IncompleteRead
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from claude_code_proxy.demo.replies import Chunk, Reply, sse
from tests.cli.ccproxy.test_private_proxy import BODY, is_closed, servers_of
from tests.cli.desk import Desk, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.demo_upstream import Upstream


class Session:
    """A session that runs: its client, and the two processes of its private proxy."""

    def __init__(self, started: dict[str, Any]) -> None:
        self.started = started
        self.url: str = started["env"]["ANTHROPIC_BASE_URL"]

    @property
    def holder(self) -> int:
        (pid,) = [pid for pid in servers_of(self.started) if parent_of(pid) == self.started["pid"]]
        return pid

    @property
    def server(self) -> int:
        """The process that serves; there is none for a moment after it was killed."""
        holder = self.holder
        found = [pid for pid in servers_of(self.started) if parent_of(pid) == holder]
        return found[0] if found else 0

    def ask(self, **changes: Any) -> Any:
        """Send a request as Claude Code does; the response, open."""
        headers = {"authorization": f"Bearer {self.started['env']['ANTHROPIC_AUTH_TOKEN']}"}
        body = json.dumps({**BODY, **changes}).encode()
        request = urllib.request.Request(f"{self.url}/v1/messages", body, headers)
        return urllib.request.urlopen(request, timeout=30)

    def works(self) -> bool:
        with self.ask() as response:
            return bool(json.load(response)["content"])


def parent_of(pid: int) -> int:
    shown = subprocess.run(["ps", "-o", "ppid=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return int(shown.stdout or 0)


@contextmanager
def session(desk: Desk, upstream: Upstream, **env: str) -> Iterator[Session]:
    desk.providers({"demo": upstream.entry()})
    with desk.start("wait", **env) as process:
        assert process.stdout is not None
        running = Session(json.loads(process.stdout.readline()))
        try:
            yield running
        finally:
            process.kill()
            process.communicate(timeout=60)
    wait_until(lambda: not servers_of(running.started), "the proxy is gone")
    assert is_closed(running.url)


class Stranger(threading.Thread):
    """Tries all the time to bind the port; `got` says whether it ever could."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._port = urlsplit(url).port
        self._over = threading.Event()
        self.tries = 0
        self.got = False

    def run(self) -> None:
        while not self._over.is_set() and not self.got:
            self.tries += 1
            for option in (socket.SO_REUSEADDR, getattr(socket, "SO_REUSEPORT", socket.SO_REUSEADDR)):
                with socket.socket() as mine:
                    mine.setsockopt(socket.SOL_SOCKET, option, 1)
                    with suppress(OSError):
                        mine.bind(("127.0.0.1", self._port))
                        self.got = True
            time.sleep(0.001)

    def end(self) -> None:
        self._over.set()
        self.join()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_server_that_dies_is_replaced(
    desk: Desk, upstream: Upstream, tmp_path: Path, number: signal.Signals
) -> None:
    log = tmp_path / "log"
    with session(desk, upstream, CCPROXY_LOG=str(log)) as running:
        assert running.works()
        stranger = Stranger(running.url)
        stranger.start()
        for _ in range(3):
            first, holder = running.server, running.holder
            os.kill(first, number)
            assert running.works(), "a request in the gap"
            assert running.holder == holder
            wait_until(lambda first=first: running.server not in (0, first), "there is another server")
        stranger.end()
        assert (stranger.got, stranger.tries > 10) == (False, True)
    assert log.read_text().count("the session's server ended") == 3
    assert len(upstream.received) == 4


def test_a_stream_that_runs_is_cut_and_the_next_request_works(desk: Desk, upstream: Upstream) -> None:
    delta = {"choices": [{"index": 0, "delta": {"content": "Half"}}]}
    chunks = (Chunk(data=sse(delta)), Chunk(data=sse(delta), delay=30))
    upstream.provider.script.add(Reply(headers={"content-type": "text/event-stream"}, chunks=chunks))
    with session(desk, upstream) as running:
        with running.ask(stream=True) as response:
            assert response.readline().startswith(b"event: message_start")
            os.kill(running.server, signal.SIGKILL)
            with pytest.raises((OSError, IncompleteRead)):  # a reset, or an end before the end
                response.read()
        assert running.works()


def test_a_holder_that_is_killed_leaves_a_server(desk: Desk, upstream: Upstream) -> None:
    with session(desk, upstream) as running:
        assert running.works()
        stranger = Stranger(running.url)
        stranger.start()
        os.kill(running.holder, signal.SIGKILL)
        for _ in range(3):
            time.sleep(0.3)
            assert running.works()
        stranger.end()
        assert not stranger.got


def test_a_server_that_cannot_start_is_given_up(desk: Desk, upstream: Upstream, tmp_path: Path) -> None:
    """Claude Code hears at once that nobody listens, and does not wait for ever."""
    log = tmp_path / "log"
    hooks = tmp_path / "hooks.py"
    hooks.write_text("raise RuntimeError\n", encoding="utf-8")
    with session(desk, upstream, CCPROXY_LOG=str(log), CLAUDE_CODE_PROXY_HOOKS=str(hooks)) as running:
        wait_until(lambda: is_closed(running.url), "the port is closed")
    assert "the session's server cannot start (exit code" in log.read_text()
