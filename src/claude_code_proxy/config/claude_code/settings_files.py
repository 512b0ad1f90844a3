"""Claude Code's own settings files, where they would win over what `ccproxy` exports.

An `env` entry in a settings file beats an exported variable, and one given with `--settings` beats the files,
but for managed ones. With CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST=1 the files decide neither address nor key nor
model, only the limits; 2.1.197 still runs an `apiKeyHelper` (measured with Claude Code 2.1.197 and 2.1.330).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from claude_code_proxy.config.cc_proxy_json.providers_file import Provider
from claude_code_proxy.config.claude_code.environment import (
    KEY_VARIABLE,
    SECRETS,
    Changes,
    client_base,
    fights,
)
from claude_code_proxy.config.jsonc import read_document
from claude_code_proxy.config.paths import home
from claude_code_proxy.config.problems import ConfigError, Problem
from claude_code_proxy.credentials.command import split_ttl

HELPER = "apiKeyHelper"
"""A command of the user's that prints a key, which Claude Code sends beside the one it is given."""

MODEL = "model"
"""Where `/model` saves a pick: plain `claude`, without `ccproxy`, asks for that too."""

STATUS_LINE = "statusLine"
"""The line below the prompt, as somebody wants it."""

MANAGED_FOLDER = Path(
    "/Library/Application Support/ClaudeCode" if sys.platform == "darwin" else "/etc/claude-code"
)
"""Where an administrator's settings are, which beat everything."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One variable that a settings file sets, or its `apiKeyHelper`, `model` or `statusLine`."""

    path: Path
    line: int
    name: str
    value: str
    is_managed: bool = False


def read_settings(
    env: Mapping[str, str], directory: Path, managed: Path | None = MANAGED_FOLDER
) -> list[Setting]:
    """What the user's, the project's and the administrator's settings files set, weakest file first.

    A file that cannot be read or parsed is left to Claude Code, which reports it itself.
    """
    found = [setting for path in _files(env, directory) for setting in _read(path)]
    for path in _managed_files(managed):
        found += [Setting(s.path, s.line, s.name, s.value, is_managed=True) for s in _read(path)]
    return found


def own_helper(settings: Sequence[Setting], provider: Provider) -> Setting | None:
    """The `apiKeyHelper` that tells the key of `provider`, None where it tells another one.

    It is the provider's where `auth_key` is the same command, or where there is no `auth_key` and the file
    with the helper names the provider's address.
    """
    helper = next((one for one in reversed(settings) if one.name == HELPER), None)
    if helper is None or not helper.value:
        return None
    if provider.key.kind == "cmd":
        return helper if split_ttl(provider.key.value)[0] == helper.value.strip() else None
    address = client_base(provider.base_url)
    named = any(
        one.path == helper.path and one.name == "ANTHROPIC_BASE_URL" and client_base(one.value) == address
        for one in settings
    )
    return helper if named and provider.key.kind == "none" else None


def overrides(settings: Sequence[Setting], changes: Changes) -> dict[str, Any]:
    """Claude Code's settings for this session because a settings file says otherwise; {} when none does.

    A variable that must be absent is set to the empty text: settings cannot unset one. The keys are in none
    of them, since they would be seen in the process list. A helper is turned off, unless it tells the key.
    """
    variables: dict[str, str] = {}
    helper = False
    told = KEY_VARIABLE not in changes.required
    for setting in settings:
        if setting.is_managed or (setting.name in SECRETS and not told):
            continue
        if setting.name == HELPER:
            helper = bool(setting.value) and not told
        elif setting.name in changes.required:
            if setting.value != changes.required[setting.name]:
                variables[setting.name] = changes.required[setting.name]
        elif fights(setting.name) and setting.value:
            variables[setting.name] = ""
    return ({"env": variables} if variables else {}) | ({HELPER: ""} if helper else {})


def managed_conflicts(settings: Sequence[Setting], changes: Changes) -> list[Problem]:
    """What an administrator's settings would change of this session, each with its file and line."""
    return [
        Problem(
            setting.path,
            setting.line,
            f"{setting.name} is set here for everyone on this machine and may win over this session's",
            "ask whoever manages it",
        )
        for setting in settings
        if setting.is_managed and _conflicts(setting, changes)
    ]


def settings_argument(settings: Mapping[str, Any]) -> list[str]:
    """Claude Code's arguments that apply `settings` to this session; none when there are none."""
    return ["--settings", json.dumps(settings)] if settings else []


def _conflicts(setting: Setting, changes: Changes) -> bool:
    if setting.name == HELPER:
        return bool(setting.value) and KEY_VARIABLE in changes.required
    if setting.name in changes.required:
        return setting.value != changes.required[setting.name]
    return fights(setting.name) and bool(setting.value)


def _read(path: Path) -> list[Setting]:
    try:
        document = read_document(path)
    except (OSError, ConfigError):
        return []
    if not isinstance(document.value, dict):
        return []
    found = []
    variables = document.value.get("env")
    if isinstance(variables, dict):
        found += [
            Setting(path, document.lines.get(("env", name), 1), name, str(value))
            for name, value in variables.items()
        ]
    if HELPER in document.value:
        found.append(Setting(path, document.lines[(HELPER,)], HELPER, str(document.value[HELPER] or "")))
    if isinstance(document.value.get(MODEL), str):
        found.append(Setting(path, document.lines[(MODEL,)], MODEL, document.value[MODEL]))
    if STATUS_LINE in document.value:
        found.append(Setting(path, document.lines[(STATUS_LINE,)], STATUS_LINE, ""))
    return found


def _files(env: Mapping[str, str], directory: Path) -> list[Path]:
    user = Path(env["CLAUDE_CONFIG_DIR"]) if env.get("CLAUDE_CONFIG_DIR") else home(env) / ".claude"
    project = directory / ".claude"
    files = [user / "settings.json", project / "settings.json", project / "settings.local.json"]
    return list(dict.fromkeys(files))


def _managed_files(folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    try:
        further = sorted((folder / "managed-settings.d").glob("*.json"))
    except OSError:
        further = []
    return [folder / "managed-settings.json", *further]
