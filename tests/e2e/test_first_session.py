"""The first hour in a minute: from the wheel to an answer, with nothing but a key in the environment."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
import trustme

from tests import paths
from tests.e2e import npm, versions
from tests.e2e.namespace import private_network
from tests.e2e.processes import process, wait_until
from tests.e2e.upstream_checks import check_request
from tests.e2e.world import World
from tests.wheel import build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.namespace import Namespace

pytestmark = pytest.mark.real_client

KEY = "sk-first-session"
HOST = "api.deepseek.com"
PROVIDER_PORT, PROXY_PORT = 9000, 9001
MOST = 60.0
"""Seconds for the installation and the two commands, which take 15 to 30 on two cores."""


def install(wheel: Path, folder: Path) -> None:
    """Install the wheel and what it depends on into an environment of its own."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin/python"), "--disable-pip-version-check"]
    command = [*pip, "install", "--quiet", "--no-compile", str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        npm.missing(f"the dependencies cannot be installed: {done.stderr.strip()[-300:]}")


def run(namespace: Namespace, home: Path, path: str, *command: str) -> str:
    """What `command` prints, run as by somebody whose only settings are the key and the company's proxy."""
    variables = {
        "HOME": str(home),
        "PATH": path,
        "DEEPSEEK_API_KEY": KEY,
        "HTTPS_PROXY": f"http://127.0.0.1:{PROXY_PORT}",
        "SSL_CERT_FILE": str(home.parent / "authority.pem"),
        "IS_SANDBOX": "1",
    }
    clean = ["env", "-i", *(f"{name}={value}" for name, value in variables.items()), *command]
    done = subprocess.run(
        namespace.command(clean), cwd=home, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done
    return done.stdout


def test_two_commands(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    claude = npm.claude_code(versions.NEWEST)
    wheel = build_wheel(tmp_path)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    authority.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    (tmp_path / "script.json").write_text('{"replies": []}')
    (tmp_path / "requests.jsonl").touch()
    home = tmp_path / "home"
    home.mkdir()
    environment = {"PATH": os.defpath, "PYTHONPATH": str(paths.REPOSITORY)}
    with private_network() as namespace:
        module = [sys.executable, "-m"]
        provider = [*module, "tests.e2e.recording_provider", str(tmp_path), str(PROVIDER_PORT), "0"]
        proxy = [*module, "tests.e2e.company_proxy", str(tmp_path), str(PROXY_PORT), HOST, str(PROVIDER_PORT)]
        logs = (tmp_path / "provider.log", tmp_path / "proxy.log")
        with (
            process(namespace.command(provider), logs[0], environment),
            process(namespace.command(proxy), logs[1], environment),
        ):
            wait_until(lambda: all("listening" in log.read_text() for log in logs), what="the provider")
            began = time.monotonic()
            install(wheel, tmp_path / "installed")
            installed = time.monotonic()
            path = f"{tmp_path / 'installed/bin'}:{claude.parent}:/usr/bin:/bin"
            run(namespace, home, path, "ccproxy", "init")
            answer = run(namespace, home, path, "ccproxy", "-p", "say that was quick")
            ended = time.monotonic()
    assert answer.strip() == "that was quick"
    world = World(tmp_path, namespace, claude)
    assert world.turns
    for request in world.turns:
        check_request(request, KEY)
    record_property("seconds to install", round(installed - began, 1))
    record_property("seconds of the two commands", round(ended - installed, 1))
    print(f"installed in {installed - began:.1f} s; the first answer came {ended - installed:.1f} s later")
    assert ended - began < MOST
