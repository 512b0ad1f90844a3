"""`ccproxy statusline`: what it prints, that it never fails, and which sessions have it."""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.cli.ccproxy import statusline
from tests.cli.person import talk

if TYPE_CHECKING:
    from tests.cli.demo_upstream import Upstream
    from tests.cli.desk import Desk

TOLD = {"session_id": "5f3c-1", "model": {"id": "m", "display_name": "Kimi K3"}}


def shown(*arguments: str, told: Any = TOLD, **env: str) -> str:
    """What the file prints, run as a session runs it."""
    text = told if isinstance(told, bytes) else json.dumps(told).encode()
    command = [sys.executable, "-I", "-S", statusline.__file__, *arguments]
    run = subprocess.run(command, input=text, capture_output=True, env=env, timeout=30, check=True)
    assert run.stderr == b""
    return run.stdout.decode()


class Answering:
    """A server on this machine that answers one request with `answer` and keeps what it was asked."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.asked = b""
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with self._listener, self._listener.accept()[0] as connection:
            self.asked = connection.recv(65536)
            connection.sendall(self._answer)

    def end(self) -> None:
        self._thread.join(10)


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (b"HTTP/1.1 200 OK\r\nx: y\r\n\r\nkimi \xc2\xb7 k3 \xc2\xb7 60 tok/s", "kimi · k3 · 60 tok/s\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "Kimi K3\n"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n{}", "Kimi K3\n"),
        (b"HTTP/1.1 200 OK\r\n\r\nred \x1b[31m \x07\nnext", "red  [31m   next\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5000, "x" * 200 + "\n"),
        (b"\xff\xfe", "Kimi K3\n"),
        (b"", "Kimi K3\n"),
    ],
)
def test_what_the_proxy_answers(answer: bytes, line: str) -> None:
    server = Answering(answer)
    assert shown(server.url) == line
    server.end()
    assert server.asked.startswith(b"GET /ui/line?session=5f3c-1 HTTP/1.1\r\n")


def test_an_id_breaks_out_of_nothing() -> None:
    server = Answering(b"HTTP/1.1 200 OK\r\n\r\nfine")
    assert shown(server.url, told={"session_id": "a b\r\nx: y&z=\u00e4/../1"}) == "fine\n"
    server.end()
    assert server.asked.startswith(b"GET /ui/line?session=abxyz..1 HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("told", "env", "line"),
    [
        (TOLD, {}, "Kimi K3\n"),
        (TOLD, {"CCPROXY_SESSION": "kimi"}, "kimi · Kimi K3\n"),
        ({}, {"CCPROXY_SESSION": "kimi"}, "kimi\n"),
        ({"session_id": None, "model": "text"}, {}, "\n"),
        ({"session_id": 5, "model": {"display_name": None}}, {}, "\n"),
        ([], {}, ""),
        (b"", {}, ""),
        (b"{", {}, ""),
        (b"\xff\x00", {}, ""),
    ],
)
def test_without_a_proxy(told: Any, env: dict[str, str], line: str) -> None:
    assert shown(told=told, **env) == line


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://",
        "http://127.0.0.1:none",
        "http://127.0.0.1:1",
        "https://127.0.0.1:1",
        "http://example.com:80",
        "x",
    ],
)
def test_addresses_where_nobody_can_be_asked(url: str) -> None:
    assert shown(url) == "Kimi K3\n"
    assert shown(ANTHROPIC_BASE_URL=url) == "Kimi K3\n"


def test_a_proxy_that_says_nothing_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert shown(f"http://127.0.0.1:{listener.getsockname()[1]}") == "Kimi K3\n"


def test_the_file_imports_nothing_heavy() -> None:
    """Started 100 times in a session: no package, nothing of the rest of the program."""
    code = "import sys; sys.argv = ['x', 'statusline']; sys.stdin.close(); sys.stdin = open('/dev/null'); "
    code += "from claude_code_proxy.cli.ccproxy.quick_start import run; run(); print(*sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    loaded = set(run.stdout.split())
    assert "claude_code_proxy.cli.ccproxy.statusline" in loaded
    ours = {name for name in loaded if name.startswith("claude_code_proxy.")}
    assert ours <= {
        "claude_code_proxy.cli",
        "claude_code_proxy.cli.ccproxy",
        "claude_code_proxy.cli.ccproxy.quick_start",
        "claude_code_proxy.cli.ccproxy.statusline",
    }
    assert not loaded & {
        "argparse",
        "asyncio",
        "http.client",
        "msgspec",
        "orjson",
        "ssl",
        "subprocess",
        "urllib.request",
    }


def test_the_command(desk: Desk) -> None:
    with desk.start("statusline") as process:
        assert process.stdout is not None
        process.communicate(timeout=60)
    assert process.returncode == 0


def settings_of(desk: Desk, *arguments: str) -> dict[str, Any]:
    """What `ccproxy` gives to claude with --settings at a terminal."""
    code, said = talk(desk, *arguments, types=[])
    assert code == 0, said
    given = json.loads(said.splitlines()[-1])["argv"]
    return dict(json.loads(given[given.index("--settings") + 1])) if "--settings" in given else {}


def test_a_session_with_a_private_proxy_has_it(desk: Desk, upstream: Upstream) -> None:
    desk.providers({"demo": upstream.entry()})
    words = shlex.split(settings_of(desk)["statusLine"]["command"])
    assert words[:-1] == [sys.executable, "-I", "-S", str(Path(statusline.__file__).absolute())]
    assert words[-1].startswith("http://127.0.0.1:")
    for arguments in (["-p", "hi"], ["--print", "hi"], ["--settings", "{}"]):
        code, said = talk(desk, *arguments, types=[])
        assert (code, "statusLine" in said) == (0, False)


@pytest.mark.parametrize("place", ["user", "project", "local"])
def test_the_users_own_line_stays(desk: Desk, upstream: Upstream, place: str) -> None:
    desk.providers({"demo": upstream.entry()})
    folder, name = {
        "user": (desk.home, "settings.json"),
        "project": (desk.project, "settings.json"),
        "local": (desk.project, "settings.local.json"),
    }[place]
    path = folder / ".claude" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"statusLine": {"type": "command", "command": "date"}}')
    assert "statusLine" not in settings_of(desk)


def test_without_a_proxy_of_ours_there_is_none(desk: Desk) -> None:
    assert "statusLine" not in settings_of(desk, "--direct")
