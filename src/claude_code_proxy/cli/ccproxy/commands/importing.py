"""`ccproxy import`: providers from claude-code-router, cc-switch or LiteLLM."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml

from claude_code_proxy.cli import output
from claude_code_proxy.cli.ccproxy.arguments import Command, UsageError
from claude_code_proxy.cli.ccproxy.commands.changed_file import change, write
from claude_code_proxy.config import paths
from claude_code_proxy.config.cc_proxy_json.edit_text import new_text, with_default, with_provider
from claude_code_proxy.config.cc_proxy_json.providers_file import load_providers
from claude_code_proxy.config.imports.cc_switch import Row, read_cc_switch, rows_of
from claude_code_proxy.config.imports.ccr import read_ccr
from claude_code_proxy.config.imports.imported import Imported
from claude_code_proxy.config.imports.litellm import read_litellm
from claude_code_proxy.config.jsonc import read_document
from claude_code_proxy.config.problems import ConfigError, Problem

_PLACES = {
    "ccr": (".claude-code-router/config.json",),
    "cc-switch": (".cc-switch/cc-switch.db", ".cc-switch/config.json"),
    "litellm": (),
}
_ROWS = "SELECT name, settings_config, is_current FROM providers WHERE app_type = 'claude' ORDER BY name"


def import_providers(command: Command) -> int:
    """Add what another program's configuration has. Raises `ConfigError`, `UsageError`.

    Without a name, whichever of the usual files is there. What has no counterpart is said; a provider whose
    name is taken stays as it is.
    """
    path, env = command.path, command.env
    plain, _ = command.take(("--dry-run",))
    kind, source = _source(plain, env)
    found = _read(kind, source, env)
    present = load_providers(path) if path.exists() else []
    taken = {provider.name for provider in present}
    for name in [name for name in found.entries if name in taken]:
        found.notes.append(f"not taken: {name}: {path} has one of this name")
    new = {name: entry for name, entry in found.entries.items() if name not in taken}
    if not new:
        _tell(found)
        output.error(f"{source} has nothing to take")
        return output.FAILURE
    default = found.default if found.default in new else next(iter(new))
    if command.dry_run:
        shown = {
            name: {**entry, "auth_key": _shown(entry.get("auth_key", ""))} for name, entry in new.items()
        }
        print(new_text(shown), end="")
        _tell(found)
        return output.OK
    if present:
        only = present[0].name if len(present) == 1 and not present[0].is_default else ""

        def with_all(text: str) -> str:
            for name, entry in new.items():
                text = with_provider(text, name, entry)
            return with_default(text, only) if only else text

        change(path, with_all)
    else:
        text = new_text(new)
        write(path, with_default(text, default) if len(new) > 1 else text)
    load_providers(path)
    _tell(found)
    output.note(f"took {', '.join(new)} from {source} to {path}\nnext: ccproxy doctor -P {default}")
    return output.OK


def _source(plain: Sequence[str], env: Mapping[str, str]) -> tuple[str, Path]:
    home = paths.home(env)
    if len(plain) > 2 or (plain and plain[0] not in _PLACES):
        raise UsageError(
            f"import takes {', '.join(_PLACES)} and a file (Claude Code's own: ccproxy -- import)"
        )
    if len(plain) == 2:
        return plain[0], Path(plain[1]).expanduser()
    kinds = plain or tuple(_PLACES)
    for kind in kinds:
        for place in _PLACES[kind]:
            if (home / place).is_file():
                return kind, home / place
    if list(plain) == ["litellm"]:
        raise UsageError("litellm has no usual place: ccproxy import litellm config.yaml")
    looked = ", ".join(f"~/{place}" for kind in kinds for place in _PLACES[kind])
    exact = f"ccproxy import {plain[0] if plain else '|'.join(_PLACES)} FILE"
    raise UsageError(f"nothing to import is at {looked}; a file elsewhere: {exact}")


def _read(kind: str, source: Path, env: Mapping[str, str]) -> Imported:
    """Raises `ConfigError` for a file that cannot be read, or is of another kind."""
    try:
        if kind == "cc-switch" and source.suffix == ".db":
            return read_cc_switch(_rows(source), env)
        document = _mapping(source, yaml.safe_load(source.read_text("utf-8")) if kind == "litellm" else None)
        if kind == "litellm":
            found = read_litellm(document, env)
            new_text(found.entries).encode()  # YAML lets half of a character through
            return found
        return read_ccr(document, env) if kind == "ccr" else read_cc_switch(rows_of(document), env)
    except OSError as error:
        raise _unreadable(source, f"cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, sqlite3.Error, ValueError) as error:
        raise _unreadable(source, f"cannot be read: {error}") from None
    except (AttributeError, TypeError) as error:
        raise _unreadable(source, f"is not what {kind} writes: {error}") from None


def _mapping(source: Path, value: Any) -> dict[str, Any]:
    document = read_document(source).value if value is None else value
    if not isinstance(document, dict):
        raise _unreadable(source, "must be a mapping")
    return document


def _unreadable(source: Path, what: str) -> ConfigError:
    return ConfigError.of([Problem(source, None, what)])


def _rows(source: Path) -> list[Row]:
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as database:
        return [
            (str(name), json.loads(text), bool(current)) for name, text, current in database.execute(_ROWS)
        ]


def _shown(key: str) -> str:
    return key if key.startswith(("env:", "cmd:", "keyring:")) or not key else "(hidden)"


def _tell(found: Imported) -> None:
    for note in found.notes:
        output.note(note)
