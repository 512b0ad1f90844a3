"""The proxies that are measured: how each is installed, started, asked and stopped."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING

from . import workload
from .load import CACHE, PROXY_CPU, MissingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NOT_COUNTED = frozenset(("pip", "setuptools", "pkg_resources", "__pycache__"))
_TICK = os.sysconf("SC_CLK_TCK")
KEY = "sk-0f8e4c1d9b7a3625" * 3
"""As long as those of providers are, and like nothing else in a request."""


class Peer(ABC):
    """A proxy that converts Messages to Chat Completions. Subclasses say how to install and start it."""

    name = ""
    slow = False
    """Measured in fewer scenarios, because each takes it long."""
    converts = True
    path = "/v1/messages?beta=true"

    def __init__(self) -> None:
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def install(self) -> None:  # noqa: B027 - not every peer has something to install
        """Put it on this machine, if it is not there. Raises `MissingError`."""

    @abstractmethod
    def command(self, upstream: int, port: int) -> list[str]:
        """The command that serves on `port` and asks the provider on port `upstream`."""

    def environment(self) -> dict[str, str]:
        """What it needs in its environment."""
        return {}

    def adapt(self, body: bytes) -> bytes:
        """The request as this proxy can take it."""
        return body

    def size(self) -> int | None:
        """Installed bytes; None when that is not comparable."""
        return None

    def request(self, body: bytes, *, path: str | None = None) -> bytes:
        """`body` as the HTTP request that this proxy is sent."""
        body = self.adapt(body)
        return (
            f"POST {path or self.path} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\n"
            f"authorization: Bearer {KEY}\r\n"
            "anthropic-version: 2023-06-01\r\ncontent-type: application/json\r\naccept: application/json\r\n"
            f"user-agent: claude-cli/2.1.0 (external, cli)\r\ncontent-length: {len(body)}\r\n\r\n"
        ).encode() + body

    def last(self, *, streamed: bool, native: bool) -> str:
        """What the end of a complete answer contains."""
        if not streamed:
            return "usage"
        return "message_stop" if self.converts or native else "[DONE]"

    # --- the process ----------------------------------------------------------------------------------
    def start(self, upstream: int, *, cpus: str = str(PROXY_CPU), within: float = 60.0) -> float:
        """Start it and wait for its first answer; returns the seconds that took."""
        self.port = free_port()
        command = ["taskset", "-c", cpus, *self.command(upstream, self.port)]
        inherited = {
            key: os.environ[key] for key in ("PATH", "HOME", "LANG", "PYTHONPATH") if key in os.environ
        }
        log = (CACHE / f"{self.name}.log").open("wb")
        began = time.perf_counter()
        self._process = subprocess.Popen(
            command, env={**inherited, **self.environment()}, stdout=log, stderr=log, start_new_session=True
        )
        log.close()
        body = workload.request(stream=False)
        while True:
            try:
                status, _ = self.ask(body)
            except (OSError, http.client.HTTPException):
                status = 0
            if status == 200:
                return time.perf_counter() - began
            if (
                status in range(400, 500)
                or self._process.poll() is not None
                or time.perf_counter() - began > within
            ):
                self.stop()
                log_file = CACHE / f"{self.name}.log"
                raise RuntimeError(f"{self.name} does not answer (status {status}): see {log_file}")
            time.sleep(0.002)

    def stop(self) -> None:
        """End it and all its processes."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None

    def ask(self, body: bytes, *, path: str | None = None) -> tuple[int, bytes]:
        """One request, outside of any measurement."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        try:
            connection.request("POST", path or self.path, self.adapt(body), headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def processes(self) -> Iterator[int]:
        """The ids of its running processes."""
        assert self._process is not None
        todo = [self._process.pid]
        while todo:
            pid = todo.pop()
            yield pid
            with contextlib.suppress(OSError):
                for task in Path(f"/proc/{pid}/task").iterdir():
                    todo += map(int, (task / "children").read_text().split())

    def cpu(self) -> float:
        """The seconds of processor time that its processes have used."""
        total = 0
        for pid in self.processes():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
        return total / _TICK

    def memory(self) -> int:
        """The bytes of memory that its processes have to themselves, shared pages divided (PSS)."""
        total = 0
        for pid in self.processes():
            with contextlib.suppress(OSError):
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) << 10
        return total


class Ours(Peer):
    """claude-code-proxy, as shipped."""

    name = "ours"

    python = sys.executable

    def __init__(self, workers: int = 1, options: Sequence[str] = ()) -> None:
        super().__init__()
        self.workers = workers
        self.options = options

    def command(self, upstream: int, port: int) -> list[str]:
        models = CACHE / "models.yaml"
        models.write_text(
            f"- model_id: {workload.MODEL}\n  api_base: http://127.0.0.1:{upstream}/v1\n"
            f"- model_id: {workload.NATIVE_MODEL}\n  model_name: upstream-model\n"
            f"  api_base: http://127.0.0.1:{upstream}\n  format: anthropic\n"
        )
        serve = [self.python, "-m", "claude_code_proxy", "serve"]
        return [
            *serve,
            "--models",
            str(models),
            "--port",
            str(port),
            "--workers",
            str(self.workers),
            *self.options,
        ]

    def size(self) -> int | None:
        package = Path(__file__).parent.parent / "src"
        return _tree_size(package) + installed_size(Path(sys.prefix), _requirements("claude-code-proxy"))


class Old(Ours):
    """claude-code-proxy of another checkout, so that one run shows what has changed."""

    name = "old"

    def __init__(self, checkout: Path) -> None:
        """`checkout` has an environment of its own in `.venv`."""
        super().__init__()
        self.python = str(checkout.absolute() / ".venv" / "bin" / "python")

    def size(self) -> int | None:
        return None


class Nginx(Peer):
    """nginx that passes everything through, unbuffered: what cannot be beaten, and converts nothing."""

    name = "nginx"
    converts = False

    def present(self) -> bool:
        """Whether it is on this machine."""
        return _nginx() is not None

    def install(self) -> None:
        if _nginx() is None and os.geteuid() == 0 and shutil.which("apt-get"):
            subprocess.run(["apt-get", "update", "-qq"])
            subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "nginx-light"])
        if _nginx() is None:
            raise MissingError("nginx is not installed: on Debian, apt install nginx-light")

    def command(self, upstream: int, port: int) -> list[str]:
        home = CACHE / "nginx"
        home.mkdir(exist_ok=True)
        (home / "nginx.conf").write_text(
            f"""daemon off; master_process off; pid {home}/pid; error_log {home}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_max_body_size 64m; keepalive_requests 1000000000; keepalive_timeout 75;
  client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/f;
  uwsgi_temp_path {home}/u; scgi_temp_path {home}/s;
  upstream provider {{
    server 127.0.0.1:{upstream}; keepalive 1024; keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off; proxy_request_buffering off; tcp_nodelay on;
    }}
  }}
}}
"""
        )
        return [str(_nginx()), "-p", str(home), "-c", str(home / "nginx.conf")]


class LiteLLM(Peer):
    """LiteLLM's proxy, converting to Chat Completions."""

    name = "litellm"
    slow = True

    def install(self) -> None:
        _venv("litellm", "litellm[proxy]")

    def command(self, upstream: int, port: int) -> list[str]:
        config = CACHE / "litellm.yaml"
        config.write_text(
            json.dumps(
                {
                    "model_list": [
                        {
                            "model_name": workload.MODEL,
                            "litellm_params": {
                                "model": "openai/upstream-model",
                                "api_base": f"http://127.0.0.1:{upstream}/v1",
                                "api_key": KEY,
                            },
                        }
                    ],
                    "general_settings": {"master_key": KEY},
                    "litellm_settings": {
                        "use_chat_completions_url_for_anthropic_messages": True,
                        "drop_params": True,
                    },
                }
            )
        )
        program = CACHE / "litellm" / "bin" / "litellm"
        return [str(program), "--config", str(config), "--port", str(port), "--host", "127.0.0.1"]

    def environment(self) -> dict[str, str]:
        return {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION", "LITELLM_LOG": "ERROR"}

    def size(self) -> int | None:
        return _tree_size(CACHE / "litellm" / "lib")


class Ant2oai(Peer):
    """ant2oai, the fastest Python converter found on PyPI."""

    name = "ant2oai"

    def install(self) -> None:
        _venv("ant2oai", "ant2oai")

    def command(self, upstream: int, port: int) -> list[str]:
        program = CACHE / "ant2oai" / "bin" / "a2o"
        url = f"http://127.0.0.1:{upstream}/v1/chat/completions"
        return [str(program), "--upstream", url, "--port", str(port)]

    def adapt(self, body: bytes) -> bytes:
        """It refuses the system message that Claude Code puts after the first one of the user."""
        request = json.loads(body)
        request["messages"] = [message for message in request["messages"] if message["role"] != "system"]
        return json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode()

    def size(self) -> int | None:
        return _tree_size(CACHE / "ant2oai" / "lib")


PEERS: dict[str, type[Peer]] = {peer.name: peer for peer in (Nginx, LiteLLM, Ant2oai)}


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _nginx() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


def _venv(name: str, requirement: str) -> None:
    home = CACHE / name
    if (home / "installed").exists():
        return
    print(f"installing {requirement} ...", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
    subprocess.run([home / "bin" / "pip", "install", "-q", requirement], check=True)
    (home / "installed").touch()


def _requirements(name: str) -> set[str]:
    """The distributions that `name` needs at run time, itself included."""
    found: set[str] = set()
    todo = [name]
    while todo:
        current = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        if current in found:
            continue
        try:
            required = distribution(current).requires or []
        except PackageNotFoundError:
            continue
        found.add(current)
        names = (line for line in required if "extra ==" not in line)
        todo += [re.split(r"[\s;\[<>=!~(]", line, maxsplit=1)[0] for line in names]
    return found


def installed_size(prefix: Path, names: set[str]) -> int:
    """The bytes of the installed files of some distributions, without bytecode."""
    total = 0
    for name in names:
        for file in distribution(name).files or []:
            path = Path(str(file.locate()))
            if path.is_file() and path.is_relative_to(prefix) and _NOT_COUNTED.isdisjoint(path.parts):
                total += path.stat().st_size
    return total


def _tree_size(root: Path) -> int:
    """The bytes of all files below `root` but the installer's own and bytecode."""
    found = (path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in found if _NOT_COUNTED.isdisjoint(path.parts))
