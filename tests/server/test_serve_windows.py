"""Serving as on Windows: without uvloop, and without what only POSIX systems have.

There is no Windows here: this Python forgets what it would not have there.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests import paths
from tests.cli.demo_upstream import running_upstream
from tests.e2e.processes import listening_url, process

if TYPE_CHECKING:
    from pathlib import Path

SERVE = """
import asyncio, multiprocessing.connection, os, select, signal, sqlite3, ssl, subprocess, sys
sys.modules["uvloop"] = None
import uvicorn.loops.auto, uvicorn.protocols.http.httptools_impl, uvicorn.supervisors  # know their platform

def refuse(*arguments, **options):
    raise NotImplementedError

for name in ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"):
    sys.modules[name] = None
for module, names in (
    (os, "chown fchmod fchown fork getegid geteuid getgid getuid killpg mkfifo nice pread pwrite sendfile "
         "set_blocking setsid statvfs uname O_CLOEXEC O_DIRECTORY O_NOFOLLOW O_NONBLOCK"),
    (select, "poll"),
    (signal, "SIGALRM SIGCHLD SIGHUP SIGKILL SIGPIPE SIGQUIT SIGUSR1 SIGUSR2 pthread_sigmask setitimer"),
):
    for name in names.split():
        vars(module).pop(name, None)
for name in ("add_signal_handler", "remove_signal_handler", "create_unix_server", "create_unix_connection"):
    setattr(asyncio.SelectorEventLoop, name, refuse)
asyncio.ProactorEventLoop = asyncio.SelectorEventLoop
sys.platform = "win32"
from claude_code_proxy.cli.server_command.main import run
sys.exit(run())
"""


@pytest.mark.parametrize("streamed", [False, True])
def test_a_request(tmp_path: Path, streamed: bool) -> None:
    with running_upstream() as upstream:
        models = tmp_path / "models.yaml"
        models.write_text(json.dumps([{"model_id": "demo", "api_base": f"{upstream.url}/v1"}]))
        command = [sys.executable, "-c", SERVE, "serve", "--models", str(models), "--port", "0"]
        log = tmp_path / "log"
        with process(command, log, {"HOME": str(tmp_path)}):
            body = {
                "model": "demo",
                "max_tokens": 99,
                "stream": streamed,
                "messages": [{"role": "user", "content": "say it works"}],
            }
            headers = {"x-api-key": "sk-x", "content-type": "application/json"}
            request = urllib.request.Request(
                f"{listening_url(log)}/v1/messages", json.dumps(body).encode(), headers
            )
            with urllib.request.urlopen(request, timeout=30) as answer:
                said = answer.read().decode()
    assert "works" in said
    assert ("event: message_stop" in said) == streamed
    assert "Traceback" not in log.read_text()


def test_uvloop_is_not_asked_for_there() -> None:
    text = (paths.REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    assert [line.strip(" ,") for line in text.splitlines() if line.strip().startswith('"uvloop')] == [
        "\"uvloop>=0.21,<1; sys_platform != 'win32'\""
    ]
    locked = (paths.REPOSITORY / "requirements.lock").read_text(encoding="utf-8")
    (line,) = [line for line in locked.splitlines() if line.startswith("uvloop")]
    assert "sys_platform != 'win32'" in line
