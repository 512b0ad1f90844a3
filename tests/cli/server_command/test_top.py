"""`claude-code-proxy top`: what it makes of the feed, and that it ends well."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import io
import json
import os
import pty
import struct
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from claude_code_proxy.cli import output
from claude_code_proxy.cli.server_command import top
from claude_code_proxy.cli.server_command.top import Requests, picture, sessions
from claude_code_proxy.config.problems import ConfigError
from tests.server.byte_upstream import running_upstream, say_hello
from tests.server.harness import ask, model, running_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = 1_795_000_000.0
SERVER = {"version": "1", "pid": 7, "workers": 1}


def row(number: int, **facts: Any) -> dict[str, Any]:
    plain = {
        "id": f"req_{number}", "state": "ok", "began": NOW + number, "session_id": "session-1", "agent_id": "",
        "agent_type": "", "request_class": "main", "asked": "m", "model": "kimi-k3", "status": 200, "error": "",
        "attempts": 1, "seconds": 3.0, "first_byte_seconds": 1.0, "sent_bytes": 1500, "notices": [],
        "usage": {"input_tokens": 100, "output_tokens": 120, "cache_read_input_tokens": 300, "cache_creation_input_tokens": 0},
    }  # fmt: skip
    return {**plain, **facts}


def known(*rows: dict[str, Any], **server: Any) -> Requests:
    requests = Requests()
    requests.take({"server": {**SERVER, **server}, "now": time.time()})
    requests.take({"rows": list(rows), "now": time.time()})
    return requests


def drawn(requests: Requests, width: int = 140, height: int = 40) -> str:
    console = Console(width=width, height=height, file=io.StringIO(), force_terminal=False)
    console.print(picture(requests, height))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_sessions_with_their_subagents() -> None:
    running = {"state": "running", "usage": None, "agent_id": "a1", "agent_type": "Explore"}
    lines = sessions(
        [
            row(1, notices=["top_k"]),
            row(2, session_id="", usage=None, state="error"),
            row(3, **running),
            row(4, agent_id="agent-without-type", model="", asked="small", notices=["top_k", "image"]),
        ]
    )
    assert [(line.name, line.level) for line in lines] == [
        ("session-", 0),
        ("Explore", 1),
        ("agent agent-wi", 1),
        ("no session", 0),
    ]
    first = lines[0]
    assert (first.requests, first.running, first.errors, first.notices) == (3, 1, 0, 2)
    assert (first.tokens, first.cached, first.speed, first.model) == (1040, 0.75, 60.0, "small")
    assert (lines[1].tokens, lines[1].cached, lines[1].speed) == (0, None, None)
    assert lines[3].errors == 1


def test_the_session_that_asked_last_comes_first() -> None:
    rows = [row(1), row(2, session_id="session-2"), row(3)]
    assert [line.requests for line in sessions(rows)] == [2, 1]


def test_a_request_from_beginning_to_end() -> None:
    requests = known(row(1, state="running", usage=None, sent_bytes=0, first_byte_seconds=None, status=0))
    assert "kB" not in drawn(requests)
    requests.take({"moves": [["req_1", 2500, 0.5, 200, 2], ["req_none", 1, 1, 1, 1]], "now": time.time()})
    text = drawn(requests)
    assert "2.5 kB" in text
    assert "0.50 s" in text
    requests.take({"rows": [row(1, attempts=2)], "now": time.time()})
    text = drawn(requests)
    for shown in ("✓", "kimi-k3", "200", "3.0 s", "60", "400", "120", "75%", "1 requests"):
        assert shown in text


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top, "_MOST", 5)
    requests = known(*(row(number) for number in range(9)))
    assert list(requests.rows) == [f"req_{number}" for number in range(4, 9)]


@pytest.mark.parametrize("height", [5, 10, 24, 50])
def test_it_fits(height: int) -> None:
    many = [row(number, session_id=f"s{number % 30}", agent_id=f"a{number % 3}") for number in range(300)]
    assert len(drawn(known(*many), height=height).splitlines()) <= max(height, 9)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_narrow_terminal_takes_from_words_and_not_from_figures(width: int) -> None:
    error = row(
        1, state="error", error="invalid_request_error", first_byte_seconds=12.345, session_id="s" * 36
    )
    lines = drawn(known(error), width).splitlines()
    assert all(len(line) <= width for line in lines)
    line = lines[-1]
    came = time.strftime("%H:%M:%S", time.localtime(error["began"]))
    assert [part in line for part in (came, "kimi-k3", "inva", "12.35", "3.0 s")] == [True] * 5, line


def test_several_processes_are_said() -> None:
    assert "process 7, one of 4" in drawn(known(row(1), workers=4))
    assert "process" not in drawn(known(row(1)))


def test_hostile_texts_reach_no_terminal() -> None:
    hostile = "\x1b]0;owned\x07\x1b[31m[red]x[/red]\n\r\u202e"
    names = ("session_id", "agent_id", "agent_type", "request_class", "asked", "model", "error", "state")
    text = drawn(known(row(1, **dict.fromkeys(names, hostile))), width=400)
    assert not {"\x1b", "\x07", "\r", "\u202e"} & set(text)
    assert "[red]" in text


class _Answer(http.server.BaseHTTPRequestHandler):
    status, body = 200, b""

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    handler = type("Answer", (_Answer,), {"status": status, "body": body})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (404, b'{"error": {"message": "the page is switched off"}}', "the page is switched off"),
        (403, b"<html>", "status 403"),
        (200, b"", "has ended"),
        (200, b"data: {\n", "no claude-code-proxy answers"),
        (200, b'data: {"choices": []}\n', "another program does"),
    ],
)
def test_who_does_not_answer(capsys: pytest.CaptureFixture[str], status: int, body: bytes, said: str) -> None:
    with answering(status, body) as url:
        assert top.top(url) == output.FAILURE
    assert said in capsys.readouterr().err


def test_nobody_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert top.top("http://127.0.0.1:1") == output.FAILURE
    assert "--url" in capsys.readouterr().err


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    with pytest.raises(ConfigError, match=r"keyless-claude-proxy\[top\]"):
        top.top("http://127.0.0.1:1")


def test_once_where_the_output_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    told = [{"server": SERVER, "now": time.time()}, {"rows": [row(1)], "now": time.time()}]
    with answering(200, b"".join(b"data: " + json.dumps(news).encode() + b"\n\n" for news in told)) as url:
        top.top(url)
    assert "kimi-k3" in capsys.readouterr().out


async def test_live_on_a_terminal_until_ctrl_c() -> None:
    async with running_upstream(say_hello) as upstream, running_proxy([model(upstream.base)]) as proxy:
        primary, secondary = pty.openpty()
        if sys.platform != "win32":
            import fcntl
            import termios

            fcntl.ioctl(secondary, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
        command = [sys.executable, "-m", "claude_code_proxy", "top", "--url", proxy.base]
        env = {**os.environ, "TERM": "xterm-256color"}
        process = subprocess.Popen(command, stdin=secondary, stdout=secondary, stderr=secondary, env=env)  # noqa: ASYNC220
        os.close(secondary)
        seen = b""

        async def until(text: bytes) -> None:
            nonlocal seen
            async with asyncio.timeout(30):
                while text not in seen:
                    seen += await asyncio.to_thread(os.read, primary, 65536)

        try:
            await until(b"0 requests")
            await ask(proxy, headers={"x-claude-code-session-id": "session-9"})
            await until(b"session-")
            process.send_signal(2)
            with contextlib.suppress(OSError):
                while part := await asyncio.to_thread(os.read, primary, 65536):
                    seen += part
            assert await asyncio.to_thread(process.wait, 30) == output.INTERRUPTED
            assert b"Traceback" not in seen
        finally:
            process.kill()
            process.wait()
            os.close(primary)
