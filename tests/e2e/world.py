"""A world of its own for one test: a network namespace with the demo provider, the proxy and Claude Code.

Claude Code is started as its users start it, by `ccproxy`, with a scratch home, a clean environment and keys
that are worth nothing. What the provider received is read from its record.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from tests import paths
from tests.e2e.namespace import Namespace, private_network
from tests.e2e.processes import listening_url, process, proxy_command, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from claude_code_proxy.demo.replies import Reply

KEY = "sk-e2e-0123456789abcdef"
MODEL = "demo-reason"
_PROVIDER_PORT = 9000
_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
_REPOSITORY = paths.REPOSITORY


@dataclass
class Received:
    """One request as the provider saw it. Times are of the monotonic clock, in seconds."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    began: float
    answering: bool = False
    gone: float | None = None
    """When its caller went away before the end of the answer."""
    over: float | None = None
    status: int = 0

    @property
    def text(self) -> str:
        """The body as JSON text, for a look whether something is in it at all."""
        return json.dumps(self.body, ensure_ascii=False)

    @property
    def tools(self) -> list[str]:
        """The names of the tools that the model may call."""
        return [tool.get("function", tool)["name"] for tool in self.body.get("tools", ())]

    @property
    def results(self) -> list[str]:
        """The contents of its tool messages."""
        return [str(message["content"]) for message in self.body["messages"] if message["role"] == "tool"]


@dataclass
class Run:
    """What Claude Code did."""

    code: int
    output: str
    errors: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """The lines of `--output-format stream-json`."""
        return [json.loads(line) for line in self.output.splitlines()]

    def __str__(self) -> str:
        return f"exit code {self.code}\n{self.output[-3000:]}\n{self.errors[-3000:]}"


@dataclass
class World:
    """`folder` holds everything: home/, work/ (where Claude Code runs), the logs and the provider's record."""

    folder: Path
    namespace: Namespace
    claude_binary: Path
    key: str = KEY
    env: dict[str, str] = field(default_factory=dict)
    native: bool = False
    """The provider speaks the Anthropic format."""
    launcher: tuple[str, ...] = ("ccproxy",)
    """The command that starts Claude Code."""
    permissions: tuple[str, ...] = ("--dangerously-skip-permissions",)
    """What Claude Code may do without asking."""

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def proxy_log(self) -> str:
        """What the proxy has logged so far."""
        return (self.folder / "proxy.log").read_text()

    @property
    def received(self) -> list[Received]:
        """The requests at the provider so far, in the order of their arrival."""
        requests: dict[int, Received] = {}
        for line in (self.folder / "requests.jsonl").read_text().splitlines():
            record = json.loads(line)
            number, event, time = record["number"], record["event"], record["time"]
            if event == "request":
                body = json.loads(record["body"] or "{}")
                requests[number] = Received(record["path"], record["headers"], body, began=time)
            elif event == "answering":
                requests[number].answering = True
            elif event == "gone":
                requests[number].gone = time
            else:
                requests[number].over = time
                requests[number].status = record["status"]
        return list(requests.values())

    @property
    def turns(self) -> list[Received]:
        """The requests that offer tools: without the side calls, as for a title."""
        return [request for request in self.received if request.tools]

    def ask(self, prompt: str, *options: str, limit: int = 60, check: bool = True) -> Run:
        """Have Claude Code answer `prompt` and wait for it; `check` wants it to succeed."""
        running = self.start("-p", prompt, *options, limit=limit)
        output, errors = running.communicate()
        run = Run(running.returncode, output, errors)
        assert not check or run.code == 0, f"{run}\n{self.proxy_log[-3000:]}"
        return run

    def start(self, *arguments: str, limit: int = 60) -> subprocess.Popen[str]:
        """Start Claude Code; after `limit` seconds it is ended."""
        path = f"{Path(sys.executable).parent}:{self.claude_binary.parent}:{_SYSTEM_PATH}"
        variables = {"PATH": path, "HOME": str(self.home), "TERM": "xterm", "IS_SANDBOX": "1", **self.env}
        command = [
            *("env", "-i", *(f"{name}={value}" for name, value in variables.items())),
            *("timeout", "--kill-after=5", str(limit)),
            *(*self.launcher, *self.permissions, *arguments),
        ]
        return subprocess.Popen(
            self.namespace.command(command),
            cwd=self.work,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


def kill(running: subprocess.Popen[str]) -> None:
    """Kill Claude Code and whatever it runs, without a chance to say goodbye."""
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()


@contextmanager
def world(
    folder: Path,
    claude_binary: Path,
    *,
    script: Sequence[Reply] = (),
    delay: float = 0.0,
    model: dict[str, Any] | None = None,
    launcher: dict[str, Any] | None = None,
    native: bool = False,
    proxy_options: Sequence[str] = (),
) -> Iterator[World]:
    """Start provider and proxy. `script` are the provider's first replies, `delay` its pause between chunks.

    `model` adds to the model's entry in models.yaml, `launcher` to the provider's in cc-proxy.json. `native`
    puts `anthropic_upstream` in the provider's place, which has no script. `proxy_options` go to the proxy.
    """
    with private_network() as namespace:
        made = World(folder, namespace, claude_binary, native=native)
        made.work.mkdir(parents=True)
        (folder / "script.json").write_bytes(msgspec.json.encode({"replies": list(script)}))
        (folder / "requests.jsonl").touch()
        entry = {"model_id": MODEL, "api_base": f"http://127.0.0.1:{_PROVIDER_PORT}/v1", **(model or {})}
        if native:
            entry["format"] = "anthropic"
        models = _write(made.home / ".config/claude-code-proxy/models.yaml", yaml.safe_dump([entry]))
        module = "anthropic_upstream" if native else "recording_provider"
        arguments = [sys.executable, "-m", f"tests.e2e.{module}"]
        provider = namespace.command([*arguments, str(folder), str(_PROVIDER_PORT), str(delay)])
        env = {"PATH": _SYSTEM_PATH, "HOME": str(made.home), "PYTHONPATH": str(_REPOSITORY)}
        proxy = namespace.command(
            proxy_command("--models", str(models), "--log-level", "debug", *proxy_options)
        )
        with process(provider, folder / "provider.log", env), process(proxy, folder / "proxy.log", env):
            base_url = listening_url(folder / "proxy.log")
            wait_until(lambda: "listening" in (folder / "provider.log").read_text(), what="the provider")
            chosen = {"base_url": base_url, "auth_key": KEY, "model": MODEL, **(launcher or {})}
            _write(made.home / ".config/llm/cc-proxy.json", json.dumps({"demo": chosen}))
            yield made


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True)
    path.touch(mode=0o600)
    path.write_text(text)
    return path
