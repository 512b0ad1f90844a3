"""The model of a new provider: the one that was named, the provider's usual one, or one of its list."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from claude_code_proxy.cli import output
from claude_code_proxy.cli.ccproxy import terminal
from claude_code_proxy.cli.ccproxy.arguments import UsageError
from claude_code_proxy.cli.ccproxy.keys import credential_of
from claude_code_proxy.cli.ccproxy.local_servers import not_running
from claude_code_proxy.cli.ccproxy.published_models import (
    NoListError,
    for_conversation,
    models_of,
)
from claude_code_proxy.config.cc_proxy_json.providers_file import Provider
from claude_code_proxy.config.cc_proxy_json.session_models import known_of
from claude_code_proxy.config.claude_code.model_picker import size
from claude_code_proxy.config.paths import providers_file
from claude_code_proxy.config.problems import ConfigError, near
from claude_code_proxy.core.providers import Provider as Preset
from claude_code_proxy.credentials.source import Credential
from claude_code_proxy.server.memory.model_lists import Listed

_CHECK_LIMIT = 3.0
"""Seconds for a list that only confirms what the user has said."""
_NAMED = 8


class Model(NamedTuple):
    """A model, and its window in tokens where the provider's list alone knows it."""

    name: str
    unknown_window: int | None = None


def choose_model(
    provider: Provider,
    command: Sequence[str],
    preset: Preset | None,
    env: Mapping[str, str],
    *,
    is_told: bool,
) -> Model:
    """The model for a new provider; asks the user where there is one, and the provider's list.

    `command`: what the user typed. `is_told`: its model is `provider.model`.
    Raises `UsageError` with the exact command where it must be said.
    """
    if is_told:
        return _confirmed(provider, env)
    if preset is not None and preset.models:
        return Model(preset.models[0])
    exact = f"ccproxy {shlex.join(command)} --model"
    try:
        listed = for_conversation(models_of(provider, _key(provider, env), env))
    except NoListError as error:
        absent = not_running(provider)
        if absent:
            raise UsageError(f"{absent}; then again, or: {exact} MODEL") from None
        if not terminal.is_interactive():
            lists = f"; ccproxy models {provider.name} lists them" if _is_listed(provider, preset) else ""
            raise UsageError(f"name a model of {provider.name}: {exact} MODEL{lists}") from None
        output.note(str(error))
        return Model(terminal.ask(f"model of {provider.name}:"))
    if len(listed) == 1:
        output.note(f"{provider.name} has one model: {listed[0].id}")
        return _described(provider, listed[0])
    if listed and terminal.is_interactive():
        rows = [(model.id, size(model.window) if model.window else "") for model in listed]
        name = terminal.pick(f"model of {provider.name}", rows)
        return _described(provider, next(model for model in listed if model.id == name))
    if not listed:
        raise UsageError(f"{provider.name} has no models yet; then: {exact} MODEL")
    names = ", ".join(model.id for model in listed[:_NAMED])
    more = f" and {len(listed) - _NAMED} more" if listed[_NAMED:] else ""
    more += f": ccproxy models {provider.name}" if more and _is_listed(provider, preset) else ""
    first = shlex.quote(listed[0].id)
    raise UsageError(f"name a model of {provider.name}: {exact} {first}; it has {names}{more}")


def _is_listed(provider: Provider, preset: Preset | None) -> bool:
    """Whether `ccproxy models NAME` would ask this provider, though the file does not have it yet."""
    return preset is not None and provider.base_url == preset.api_base


def _confirmed(provider: Provider, env: Mapping[str, str]) -> Model:
    """The model that the user has said; a list that can be had tells its window, or that there is none."""
    model = Model(provider.model)
    if known_of(provider, provider.model).context:
        return model
    try:
        listed = models_of(provider, _key(provider, env), env, _CHECK_LIMIT)
    except NoListError:
        return model
    for one in listed:
        if one.id == provider.model:
            return _described(provider, one)
    if listed:
        names = near(provider.model, (one.id for one in listed))
        like = f"; it has {', '.join(names)}" if names else f"; ccproxy models {provider.name} lists them"
        output.warning(f'{provider.name} does not list "{provider.model}"{like}')
    return model


def _described(provider: Provider, listed: Listed) -> Model:
    known = known_of(provider, listed.id).context
    return Model(listed.id, None if known else listed.window or None)


def _key(provider: Provider, env: Mapping[str, str]) -> Credential:
    """The key, without a token where it cannot be had yet: many lists are public."""
    try:
        return credential_of(provider, providers_file(env), env)
    except ConfigError:
        return Credential("")
