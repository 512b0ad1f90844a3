"""A user's machine for the tests of `ccproxy`: a home, a fake `claude` that says how it was started."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

KEY = "sk-planted-key"
LEAST = {
    "base_url": "http://127.0.0.1:8082",
    "auth_key": KEY,
    "model": "deepseek-chat",
    "format": "anthropic",  # --direct is possible
}
RUN = "import sys; from claude_code_proxy.cli.ccproxy.launcher import run; sys.exit(run())"
FAKE = f"""#!{sys.executable}
import json, os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # a test run under nohup hands on that it is ignored
print(json.dumps({{"argv": sys.argv[1:], "env": dict(os.environ), "pid": os.getpid()}}), flush=True)
if "ask" in sys.argv:
    import urllib.error, urllib.request
    headers = {{"authorization": "Bearer " + os.environ["ANTHROPIC_AUTH_TOKEN"]}}
    for model in sys.argv[sys.argv.index("ask") + 1:] or [os.environ["ANTHROPIC_MODEL"]]:
        body = {{"model": model, "max_tokens": 99, "messages": [{{"role": "user", "content": "say it works"}}]}}
        url = os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers)) as answer:
                print(answer.read().decode(), flush=True)
        except urllib.error.HTTPError as error:
            print(error.read().decode(), flush=True)
if "wait" in sys.argv:
    signal.pause()
sys.exit(int(os.environ.get("FAKE_EXIT", "0")))
"""


def _hear_every_signal() -> None:
    """Signals that the tests were started deaf to, as below `nohup` or in the background."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


class Desk:
    """A user's machine: a home, a PATH with a fake claude, a providers file."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.bin = root / "bin"
        self.project = root / "project"
        self.config = self.home / ".config" / "llm" / "cc-proxy.json"
        for folder in (self.bin, self.project, self.config.parent):
            folder.mkdir(parents=True)
        self.env = {"HOME": str(self.home), "PATH": str(self.bin), "LANG": "C.UTF-8"}
        self.install(self.bin)
        self.providers({"deepseek": LEAST})

    def install(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "claude").write_text(FAKE, encoding="utf-8")
        (folder / "claude").chmod(0o755)

    def providers(self, value: Any, mode: int = 0o600) -> None:
        self.config.write_text(json.dumps(value), encoding="utf-8")
        self.config.chmod(mode)

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", RUN, *arguments],
            env=self.env | env,
            cwd=self.project,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=_hear_every_signal,
        )

    def run(self, *arguments: str, **env: str) -> tuple[int, str, str]:
        with self.start(*arguments, **env) as process:
            out, err = process.communicate(timeout=60)
        assert KEY not in err
        return process.returncode, out, err

    def claude(self, *arguments: str, **env: str) -> dict[str, Any]:
        code, out, err = self.run(*arguments, **env)
        assert (code, err) == (0, "")
        started: dict[str, Any] = json.loads(out)
        return started


def processes(*words: str) -> list[int]:
    """The pids of all processes with every one of `words` in their command lines."""
    listed = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,command="], capture_output=True, text=True, check=True
    )
    lines = (line.strip().partition(" ") for line in listed.stdout.splitlines())
    return [int(pid) for pid, _, command in lines if all(word in command for word in words)]


def wait_until(condition: Any, what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
