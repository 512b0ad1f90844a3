"""`ccproxy logs|ui|usage`: what the proxies of earlier sessions wrote down."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path

from claude_code_proxy.cli import output
from claude_code_proxy.cli.ccproxy import statusline
from claude_code_proxy.cli.ccproxy.arguments import Command, UsageError
from claude_code_proxy.cli.ccproxy.private_proxy import who_answers
from claude_code_proxy.cli.ccproxy.session_logs import PAGE, logs_of, older_part
from claude_code_proxy.cli.server_command.show_usage import show_usage
from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.server.records.usage_store import GROUPS

_LINES = 200
_LOOK_EVERY = 0.5  # seconds
_NONE = "no session has had a private proxy so far; only these write a log"


def logs(command: Command) -> int:
    """Print the end of the newest session's log, or which logs there are. Raises `UsageError`."""
    plain, options = command.take(("--list", "--follow", "-f"), ("-n",))
    count = options.get("-n", str(_LINES))
    if plain or not (count.isascii() and count.isdigit()):
        raise UsageError("logs takes --list, --follow and -n LINES; a background session: ccproxy -- logs ID")
    found = logs_of(command.env)
    if not found:
        output.note(_NONE)
        return output.OK
    if "--list" in options:
        for path in found:
            print(f"{path}  {path.stat().st_size} bytes")
        return output.OK
    newest = found[-1]
    output.note(f"{newest}:")
    with newest.open(encoding="utf-8", errors="replace") as file:
        for line in deque(file, maxlen=int(count)):
            print(line, end="")
        while "--follow" in options or "-f" in options:
            line = file.readline()
            if line:
                print(line, end="", flush=True)
            else:
                time.sleep(_LOOK_EVERY)
    return output.OK


def pages(command: Command) -> int:
    """Print the address of the page of each running session, newest first. Raises `UsageError`."""
    if command.arguments:
        raise UsageError("ui takes nothing; it prints the addresses of the running sessions' pages")
    told = [_address(log) for log in reversed(logs_of(command.env))]
    found = [url for url in told if url and who_answers(url) == "private"]
    for url in found:
        print(f"{url}/ui")
    if not found:
        output.note("no session with a private proxy runs; the page of a server is at its address, /ui")
    return output.OK


def _address(log: Path) -> str:
    """Where the proxy that writes a log says it listens; "" where it does not."""
    first = older_part(log) if older_part(log).exists() else log
    try:
        with first.open(encoding="utf-8", errors="replace") as file:
            said = PAGE.search(file.readline())
    except OSError:
        return ""
    return said[1] if said else ""


def status_line(command: Command) -> int:
    """Print the line below Claude Code's prompt, where options stand before the word."""
    return statusline.main(list(command.arguments))


def usage(command: Command) -> int:
    """Print the tokens that sessions and servers of ours have counted. Raises `ConfigError`, `UsageError`."""
    plain, options = command.take(("--json",), ("--by", "--since"))
    group = options.get("--by", "day")
    if plain or group not in GROUPS:
        raise UsageError(f"usage takes --since DAY, --json and --by {'|'.join(GROUPS)}")
    path = ServerSettings.load({}, command.env).usage_file
    if path is None:
        raise ConfigError("CLAUDE_CODE_PROXY_USAGE_FILE=no: nothing is kept")
    if not path.exists():
        output.note(
            "no tokens were counted so far; only sessions with a private proxy, and servers, count them"
        )
        return output.OK
    return show_usage(path, group, options.get("--since"), as_json="--json" in options)
