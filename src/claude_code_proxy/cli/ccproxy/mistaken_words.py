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
    "account": "accounts", "check": "doctor", "configure": "init", "cost": "usage", "costs": "usage",
    "default": "use", "del": "remove", "delete": "remove", "keys": "list", "log": "logs", "ls": "list",
    "new": "add", "provider": "list", "providers": "list", "rename": "edit", "select": "use",
    "set": "use", "setup": "init", "show": "list", "signin": "login", "signout": "logout", "stats": "usage",
    "status": "doctor", "switch": "use", "tokens": "usage",
    "uninstall": "remove", "unset": "remove", "ver": "version", "whoami": "accounts",
}  # fmt: skip
_SERVERS = ("serve", "server", "start", "run", "demo", "explain")
_LIKENESS = 0.75
_LONG = 5
"""Letters of a word whose misspellings mean it: shorter ones are near too much."""
_WORD = re.compile(r"[A-Za-z]+(-[A-Za-z]+)*")


def meant_by(word: str) -> str:
    """What `word`, the first argument, was probably meant for; "" for a prompt, or a command of Claude's."""
    lowered = word.lower()
    if not _WORD.fullmatch(word) or lowered in CLAUDES:
        return ""
    if lowered in _MEANT:
        return f"ccproxy {_MEANT[lowered]}"
    if lowered in _SERVERS:
        return "ccproxy" if lowered in ("start", "run") else f"claude-code-proxy {lowered}"
    candidates = {word: word for word in COMMANDS}
    candidates |= {word: meant for word, meant in _MEANT.items() if len(word) >= _LONG}
    near = difflib.get_close_matches(lowered, candidates, 1, _LIKENESS)
    return f"ccproxy {candidates[near[0]]}" if near else ""
