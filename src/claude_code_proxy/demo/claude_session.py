"""Claude Code in the demo: started by the launcher, in a home of its own, and shown as it works."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from claude_code_proxy.core import wire
from claude_code_proxy.demo.agent_client import ClientError, show
from claude_code_proxy.demo.processes import clean_environment, stop
from claude_code_proxy.demo.screen import Screen

_TIME_LIMIT = 120.0
_LAUNCH = "import sys; from claude_code_proxy.cli.ccproxy.launcher import run; sys.exit(run())"
_OPTIONS = ("--output-format", "stream-json", "--verbose", "--include-partial-messages")
# The scratch home holds no consent to any traffic but the conversation's own.
_QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_TELEMETRY": "1",
}


def converse(config: Path, home: Path, folder: Path, prompt: str, screen: Screen) -> None:
    """Have Claude Code answer `prompt` in `folder`, launched with the provider file `config`.

    Its own files go below `home`. Raises `ClientError` when it fails or takes more than two minutes.
    """
    home.mkdir()
    own = {"HOME": str(home), "CLAUDE_CONFIG_DIR": str(home / ".claude")}
    command = [sys.executable, "-P", "-c", _LAUNCH, "-C", str(config), "-p", prompt, *_OPTIONS]
    screen.line("you", prompt)
    with (home / "claude.log").open("w+b") as log:
        process = subprocess.Popen(  # noqa: S603 - our own launcher
            [*command, "--allowedTools", "Bash(ls:*)"],
            cwd=folder,
            env=clean_environment() | _QUIET | own,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
        watchdog = threading.Timer(_TIME_LIMIT, stop, [process])
        watchdog.start()
        try:
            finished = _follow(process, screen)
        finally:
            watchdog.cancel()
            stop(process)
            screen.end()
        if process.returncode != 0 or not finished:
            log.seek(0)
            said = log.read(2000).decode(errors="replace").strip()
            raise ClientError(f"exit code {process.returncode}: {said or 'no result'}")


def _follow(process: subprocess.Popen[bytes], screen: Screen) -> bool:
    """Show the output of `--output-format stream-json`; say whether it ended with a good result."""
    assert process.stdout is not None
    finished = False
    with process.stdout as output:
        for line in output:
            try:
                event = wire.loads(line)
            except wire.WireError:
                continue
            finished = _show(event, screen) or finished
    process.wait(_TIME_LIMIT)
    return finished


def _show(event: dict[str, Any], screen: Screen) -> bool:
    """Show one line of output; true for a result that is no error."""
    match event.get("type"):
        case "stream_event":
            show(event["event"], screen)
        case "assistant":
            for block in event["message"]["content"]:
                if block["type"] == "tool_use":
                    screen.tool(block["name"], block["input"])
        case "user":
            for block in event["message"]["content"]:
                if isinstance(block, dict) and block["type"] == "tool_result":
                    screen.line("result", str(block["content"]))
        case "result":
            screen.usage(event.get("usage") or {})
            return not event.get("is_error")
    return False
