"""Where configuration and logs are: by the XDG rules, on macOS too, as command-line tools do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def home(env: Mapping[str, str]) -> Path:
    """The user's home: `$HOME`, else what the system's user database says."""
    return Path(env["HOME"]) if env.get("HOME") else Path.home()


def config_home(env: Mapping[str, str]) -> Path:
    """`$XDG_CONFIG_HOME`, else `~/.config`; the XDG rules say to ignore a relative path."""
    configured = env.get("XDG_CONFIG_HOME", "")
    return Path(configured) if configured.startswith("/") else home(env) / ".config"


def state_home(env: Mapping[str, str]) -> Path:
    """`$XDG_STATE_HOME`, else `~/.local/state`, by the same rules."""
    configured = env.get("XDG_STATE_HOME", "")
    return Path(configured) if configured.startswith("/") else home(env) / ".local" / "state"


def models_file(env: Mapping[str, str]) -> Path:
    """The default place of models.yaml."""
    return config_home(env) / "claude-code-proxy" / "models.yaml"


def usage_file(env: Mapping[str, str]) -> Path:
    """The default place of the token counts of past days."""
    return state_home(env) / "claude-code-proxy" / "usage.sqlite3"


def providers_file(env: Mapping[str, str]) -> Path:
    """The launcher's cc-proxy.json, or its older place where only that is there."""
    usual = config_home(env) / "llm" / "cc-proxy.json"
    older = config_home(env) / "ccproxy" / "providers.json"
    return older if older.exists() and not usual.exists() else usual
