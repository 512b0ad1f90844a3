"""The listener for administrators: what it answers, what the other one does not, and that no limit starves it."""

from __future__ import annotations

import json
import re
import socket
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.server.serve import serve
from tests.server.test_serve import served

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

LISTEN = "admin_listen=('127.0.0.1', 0)"


def admin_port(process: subprocess.Popen[str]) -> int:
    """The port that the log names."""
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"health, statistics and metrics at http://127\.0\.0\.1:(\d+)", line):
            return int(found[1])
    raise AssertionError("no line names it")


def asked(port: int, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    data = b"{}" if method == "POST" else None
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", data=data, headers=headers, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.parametrize("workers", [1, 2])
def test_each_listener_has_its_paths(tmp_path: Path, workers: int) -> None:
    tokens = tmp_path / "tokens.txt"
    tokens.write_text(f"sha256:{'0' * 64}\n")
    more = f"{LISTEN}, client_tokens=Path({str(tokens)!r})"
    with served(tmp_path, workers, more=more) as (process, base):
        port, admins = int(base.rpartition(":")[2]), admin_port(process)
        for path in ("/health", "/ready"):
            assert asked(port, path)[0] == asked(admins, path)[0] == 200
        for path in ("/v1/stats", "/test-connection", "/ui", "/ui/app.js"):
            assert asked(admins, path)[0] == 200  # without a client's token
        assert "--metrics" in asked(admins, "/metrics")[1]
        status, body = asked(admins, "/v1/messages/test_conversion?dry_run=1", "POST")
        assert (status, json.loads(body)["error"]["type"]) == (400, "invalid_request_error")
        for path in ("/v1/stats", "/test-connection", "/metrics", "/anthropic/v1/stats", "/ui", "/ui/events"):
            status, body = asked(port, path)
            assert (status, "--admin-listen" in body) == (404, True)
        for path in ("/", "/v1/models", "/v1/messages"):
            assert asked(admins, path)[0] == 404
        assert asked(port, "/v1/models")[0] == 401
        assert asked(admins, "/v1/stats", Host="evil.example")[0] == 403
        assert asked(admins, "/v1/stats", **{"X-Forwarded-For": "192.0.2.1"})[0] == 403
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0


def healthy(port: int) -> bool:
    try:
        return asked(port, "/health")[0] == 200
    except OSError:
        return False


def silent(port: int, count: int) -> list[socket.socket]:
    return [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(count)]


def test_no_limit_starves_it(tmp_path: Path) -> None:
    more = f"{LISTEN}, max_connections=2, max_requests=1, max_connections_per_address=2"
    with served(tmp_path, more=more) as (process, base):
        port, admins = int(base.rpartition(":")[2]), admin_port(process)
        held = silent(port, 20)
        for _ in range(20):
            assert asked(admins, "/health")[0] == asked(admins, "/v1/stats")[0] == 200
        held += silent(admins, 64)
        # Full for two seconds at most: whoever says nothing is closed.
        deadline = time.monotonic() + 20
        while not healthy(admins):
            assert time.monotonic() < deadline
        for one in held:
            one.close()


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_addresses_that_are_refused(
    tmp_path: Path, taken: int, loggers: None, capsys: pytest.CaptureFixture[str]
) -> None:
    models = tmp_path / "models.yaml"
    models.write_text("- {model_id: m, api_base: 'http://127.0.0.1:1'}\n")
    with pytest.raises(ConfigError, match=r"--admin-listen 0\.0\.0\.0: other machines"):
        serve(ServerSettings(models=models, admin_listen=("0.0.0.0", 0)))
    assert serve(ServerSettings(models=models, port=0, admin_listen=("127.0.0.1", taken))) == 1
    assert "another port: --admin-listen" in capsys.readouterr().err
