"""Words that look like commands of ours, which Claude Code would send to the provider as paid prompts."""

from __future__ import annotations

import difflib
import re

from claude_code_proxy.cli.ccproxy.arguments import COMMANDS

CLAUDES = (
    "agents", "attach", "auth", "auto-mode", "gateway", "install", "kill", "mcp", "plugin", "plugins",
    "purge", "respawn", "rm", "setup-token", "stop", "ultrareview", "update", "upgrade",
)  # fmt: skip
"""Claude Code's own commands (2.1.332), but for those that `ccproxy` has too."""

_MEANT = {
    "account": "accounts", "cfg": "config", "check": "doctor", "configuration": "config",
    "configure": "init", "cost": "usage", "costs": "usage", "create": "add", "dashboard": "ui",
    "default": "use", "del": "remove", "delete": "remove", "diagnose": "doctor", "environment": "env",
    "health": "doctor", "initialise": "init", "initialize": "init", "key": "list", "keys": "list",
    "log": "logs", "ls": "list", "migrate": "import", "new": "add", "page": "ui", "provider": "list",
    "providers": "list", "rename": "edit", "select": "use", "set": "use", "setup": "init", "show": "list",
    "signin": "login", "signout": "logout", "stats": "usage", "status": "doctor", "switch": "use",
    "tokens": "usage", "uninstall": "remove", "unset": "remove", "ver": "version", "web": "ui",
    "whoami": "accounts",
}  # fmt: skip
_SERVERS = {
    "cache-report": "cache-report", "capture": "capture", "demo": "demo", "docs": "docs",
    "explain": "explain", "replay": "replay", "serve": "serve", "server": "serve", "session": "sessions",
    "sessions": "sessions", "top": "top",
}  # fmt: skip
"""Commands of `claude-code-proxy`, and words for them."""
STARTS = ("run", "start")
"""Words for starting what the command is there for."""
_NO_TYPO = ("exit", "quit", "user", "complete")
"""Words that are like a command and mean something else."""
_LIKENESS = 0.75
_LONG = 5
"""Letters of a word whose misspellings mean it: shorter ones are near too much."""
_WORD = re.compile(r"[A-Za-z]+(-[A-Za-z]+)*")


def meant_by(word: str) -> str:
    """What `word`, the first argument, was probably meant for; "" for a prompt, or a command of Claude's."""
    lowered = word.lower()
    if not _WORD.fullmatch(word) or lowered in CLAUDES or lowered in _NO_TYPO:
        return ""
    if lowered in STARTS:
        return "ccproxy"
    own = {command: f"ccproxy {command}" for command in COMMANDS}
    others = {other: f"ccproxy {meant}" for other, meant in _MEANT.items()}
    others |= {other: f"claude-code-proxy {meant}" for other, meant in _SERVERS.items()}
    if lowered in others:
        return others[lowered]
    candidates = own | {other: meant for other, meant in others.items() if len(other) >= _LONG}
    near = difflib.get_close_matches(lowered, candidates, 1, _LIKENESS)
    return candidates[near[0]] if near else ""
