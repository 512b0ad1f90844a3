"""`ccproxy version` and `ccproxy --version`: ours, and Claude Code's."""

from __future__ import annotations

import subprocess

from claude_code_proxy import __version__
from claude_code_proxy.cli import output
from claude_code_proxy.cli.ccproxy.arguments import Command
from claude_code_proxy.cli.ccproxy.launch import INSTALL, find_claude

_LIMIT = 20.0  # seconds


def show_versions(command: Command) -> int:
    """Print both; a Claude Code that is missing or broken is said and no failure."""
    print(f"ccproxy {__version__}", flush=True)
    env = dict(command.env)
    claude = find_claude(env)
    if claude is None:
        output.note(INSTALL)
        return output.OK
    try:
        done = subprocess.run(  # noqa: S603 - the user's own Claude Code
            [claude, "--version"],
            capture_output=True,
            text=True,
            timeout=_LIMIT,
            env=env,
            check=False,
        )
        print(f"claude {done.stdout.strip() or '(prints no version)'} at {claude}")
    except (OSError, subprocess.TimeoutExpired) as error:
        output.warning(f"{claude} cannot be run: {error}")
    return output.OK
