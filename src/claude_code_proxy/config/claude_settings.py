"""Claude Code's own settings files, where they would win over what `ccproxy` exports.

An `env` entry in a settings file beats an exported variable; one given with `--settings` beats the files
(measured with Claude Code 2.1.197 and 2.1.330).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .jsonc import read_document
from .launcher import KEY_VARIABLE, Changes, fights
from .paths import home
from .problems import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class SettingsEnv:
    """One variable that a settings file sets."""

    path: Path
    line: int
    name: str
    value: str


def read_settings_env(env: Mapping[str, str], directory: Path) -> list[SettingsEnv]:
    """The `env` entries of the user's and the project's settings files, weakest file first.

    A file that cannot be read or parsed is left to Claude Code, which reports it itself.
    """
    entries: list[SettingsEnv] = []
    for path in _files(env, directory):
        try:
            document = read_document(path)
        except (OSError, ConfigError):
            continue
        variables = document.value.get("env") if isinstance(document.value, dict) else None
        if isinstance(variables, dict):
            entries += [
                SettingsEnv(path, document.lines.get(("env", name), 1), name, str(value))
                for name, value in variables.items()
            ]
    return entries


def overrides(entries: Sequence[SettingsEnv], changes: Changes) -> dict[str, str]:
    """The variables to hand over with `--settings` because a settings file says otherwise.

    A variable that must be absent is set to the empty text: settings cannot unset one. Raises `ConfigError`
    when a file sets another key: ours must not be seen in the process list, and theirs must not go to this
    provider.
    """
    found: dict[str, str] = {}
    for entry in entries:
        if entry.name == KEY_VARIABLE:
            if entry.value != changes.required[KEY_VARIABLE]:
                what = (
                    f"env.{KEY_VARIABLE} is set here and would be sent to this provider in place of its key"
                )
                raise ConfigError.of([Problem(entry.path, entry.line, what, "remove the line")])
        elif entry.name in changes.required:
            if entry.value != changes.required[entry.name]:
                found[entry.name] = changes.required[entry.name]
        elif fights(entry.name) and entry.value:
            found[entry.name] = ""
    return found


def settings_argument(variables: Mapping[str, str]) -> list[str]:
    """Claude Code's arguments that set `variables` for this session; none when there are none."""
    return ["--settings", json.dumps({"env": dict(variables)})] if variables else []


def _files(env: Mapping[str, str], directory: Path) -> list[Path]:
    user = Path(env["CLAUDE_CONFIG_DIR"]) if env.get("CLAUDE_CONFIG_DIR") else home(env) / ".claude"
    project = directory / ".claude"
    files = [user / "settings.json", project / "settings.json", project / "settings.local.json"]
    return list(dict.fromkeys(files))
