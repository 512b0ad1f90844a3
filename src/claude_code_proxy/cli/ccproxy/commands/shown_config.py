"""`ccproxy config show`: what a session goes by, and where each part of it was said."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from claude_code_proxy.cli import output
from claude_code_proxy.cli.ccproxy.arguments import Command, UsageError
from claude_code_proxy.config.cc_proxy_json.key_sources import parse_key
from claude_code_proxy.config.cc_proxy_json.providers_file import (
    FLAT_NAME,
    OPTIONAL_KEYS,
    REQUIRED_KEYS,
    Provider,
    choose,
    load_providers,
)
from claude_code_proxy.config.cc_proxy_json.session_models import entry_of, known_entries, known_of, table_of
from claude_code_proxy.config.jsonc import read_document
from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.config.settings import SETTINGS, ServerSettings

_NOT_SHOWN = ("default",)


class _Row(NamedTuple):
    name: str
    value: str
    origin: str


def show_config(command: Command) -> int:
    """Print the provider's entry, its limits and the server's settings; `--origin` says where each is from.

    No key is printed. Raises `ConfigError`, `UsageError`.
    """
    path, env = command.path, command.env
    plain, options = command.take(("--origin", "--json"))
    if plain != ["show"]:
        raise UsageError("config takes: show [--origin] [--json]")
    providers = load_providers(path)
    chosen = choose(providers, command.provider, path)
    rows = [
        _Row("file", str(path), "where it is looked for"),
        _Row("provider", chosen.name, _why(command.provider, len(providers), env)),
        *_written(chosen, path),
        *_limits(chosen, path, env),
        *_settings(env),
    ]
    if "--json" in options:
        output.document({"version": 1, "settings": [row._asdict() for row in rows]})
    else:
        output.table([row if "--origin" in options else row[:2] for row in rows])
    return output.OK


def _why(wanted: str | None, count: int, env: Mapping[str, str]) -> str:
    if wanted is not None:
        return "CCPROXY_PROVIDER" if env.get("CCPROXY_PROVIDER") == wanted else "-P"
    return "the only one" if count == 1 else '"default": true'


def _written(provider: Provider, path: Path) -> Iterator[_Row]:
    """What the entry itself says, each with its line."""
    document = read_document(path)
    is_flat = provider.name == FLAT_NAME and FLAT_NAME not in document.value
    where = () if is_flat else (provider.name,)
    entry = document.value if is_flat else document.value[provider.name]
    for key in (*REQUIRED_KEYS, *OPTIONAL_KEYS):
        if key not in _NOT_SHOWN and key in entry:
            value = entry[key]
            told = parse_key(value).shown if key == "auth_key" else _told(value)
            yield _Row(key, told, f"{path}:{document.lines[(*where, key)]}")


def _limits(provider: Provider, path: Path, env: Mapping[str, str]) -> Iterator[_Row]:
    """The profile, the window and the output limit, where the entry does not say them."""
    models_file = ServerSettings.load({}, env).models
    try:
        known = known_entries(models_file)
    except ConfigError:
        known = {}
    entry = entry_of(provider, provider.model, provider.model, known)
    config = table_of([entry], path).resolve(provider.model)
    plain = known_of(provider, provider.model)
    assert config is not None
    if provider.profile is None:
        yield _Row(
            "profile", config.profile.name, f"by {'models.yaml' if 'profile' in entry else 'base_url'}"
        )
    for name, said, value, usual in (
        ("context", provider.context, config.context, plain.context),
        ("max_tokens", provider.max_tokens, config.max_tokens, plain.max_tokens),
    ):
        if said is None:
            source = f"the profile {plain.profile.name}" if value == usual else str(models_file)
            yield _Row(name, str(value or "not known"), source if value else "nowhere")


def _settings(env: Mapping[str, str]) -> Iterator[_Row]:
    """What the environment says of the session's own proxy."""
    for setting in SETTINGS:
        for variable in (setting.env, setting.older_env):
            if variable and env.get(variable):
                yield _Row(setting.name, env[variable], variable)
                break


def _told(value: object) -> str:
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
