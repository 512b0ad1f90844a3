"""`ccproxy models`: what a provider offers, by its own list."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from claude_code_proxy.cli import output
from claude_code_proxy.cli.ccproxy.arguments import Command, UsageError
from claude_code_proxy.cli.ccproxy.keys import credential_of
from claude_code_proxy.cli.ccproxy.local_servers import not_running
from claude_code_proxy.cli.ccproxy.published_models import NoListError, models_of
from claude_code_proxy.config.cc_proxy_json.key_sources import NO_KEY, KeySource
from claude_code_proxy.config.cc_proxy_json.providers_file import Provider, choose, load_providers
from claude_code_proxy.config.cc_proxy_json.session_models import known_of
from claude_code_proxy.config.claude_code.model_picker import size
from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.core.providers import preset_called
from claude_code_proxy.credentials.source import Credential
from claude_code_proxy.server.memory.model_lists import Listed


def list_models(command: Command) -> int:
    """Print the models of a provider of the file, or of a known one that is not in it.

    Further words are parts of the names to show. Raises `ConfigError`, `UsageError`.
    """
    path, env = command.path, command.env
    plain, options = command.take(("--json",))
    provider = _provider(plain[0] if plain else command.provider, path, env)
    parts = [part.lower() for part in plain[1:]]
    try:
        credential = credential_of(provider, path, env)
    except ConfigError:
        credential = Credential("")  # many lists are public
    try:
        listed = models_of(provider, credential, env)
    except NoListError as error:
        output.error(not_running(provider) or error)
        return output.FAILURE
    shown = [model for model in listed if all(part in model.id.lower() for part in parts)]
    if "--json" in options:
        rows = [{"id": model.id, "name": model.name, "context": _window(provider, model)} for model in shown]
        output.document({"version": 1, "provider": provider.name, "models": rows})
        return output.OK
    if not shown:
        output.note(f"{provider.name} lists {len(listed)} models, none with {' '.join(parts)!r} in its name")
        return output.FAILURE
    table = [("", "MODEL", "WINDOW", "NAME")]
    for model in shown:
        window = _window(provider, model)
        mark = "*" if model.id == provider.model else ""
        name = model.name if model.name != model.id else ""
        table.append((mark, model.id, size(window) if window else "-", name))
    output.table(table)
    return output.OK


def _provider(name: str | None, path: Path, env: Mapping[str, str]) -> Provider:
    present = load_providers(path) if path.exists() or name is None else []
    preset = preset_called(name) if name else None
    if preset is None or any(provider.name == name for provider in present):
        if not present:
            raise UsageError(f'"{name}" is neither in {path} nor a known provider')
        return choose(present, name, path)
    variable = next((variable for variable in preset.key_variables if env.get(variable)), None)
    usual = preset.key_variables[0] if preset.key_variables else None
    key = KeySource("env", variable or usual or "") if variable or usual else NO_KEY
    if preset.login:
        key = KeySource("login", preset.login)
    return Provider(name=preset.name, base_url=preset.api_base, key=key, model="*", profile=preset.name)


def _window(provider: Provider, model: Listed) -> int | None:
    return known_of(provider, model.id).context or model.window or None
