"""The logins that `auth_key: "login:NAME"` can use."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import cast

from .account import Login
from .source import CredentialError

LOGINS = {
    "codex": ("codex_login", "CodexLogin"),
    "copilot": ("copilot_login", "CopilotLogin"),
}
"""The file and the class of each."""

FORBIDDEN = {
    "claude": "Anthropic allows a Claude subscription in its own programs only: run claude by itself",
    "anthropic": "Anthropic allows a Claude subscription in its own programs only: run claude by itself",
    "gemini": "Google allows a Gemini CLI login in its own program only: use a key of the Gemini API",
}
"""What vendors forbid to third parties, and why there is no such login here."""


def make_login(name: str, env: Mapping[str, str]) -> Login:
    """The login called `name`. Raises `CredentialError` for one that there is not."""
    if name not in LOGINS:
        if name in FORBIDDEN:
            raise CredentialError(f"there is no login for {name}", FORBIDDEN[name])
        raise CredentialError("auth_key names no login", f"there are {', '.join(LOGINS)}")
    module, made = LOGINS[name]
    return cast("Login", getattr(import_module(f".{module}", __package__), made)(env))
