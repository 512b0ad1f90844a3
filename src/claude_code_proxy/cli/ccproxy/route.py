"""How a session reaches its providers: straight, through a proxy that runs, or through a private one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from claude_code_proxy.cli.ccproxy import private_proxy
from claude_code_proxy.config.cc_proxy_json.providers_file import Provider
from claude_code_proxy.config.cc_proxy_json.session_models import (
    Known,
    known_entries,
    offered_entries,
    session_entries,
    table_of,
)
from claude_code_proxy.config.cc_proxy_json.session_plan import Session, SessionModel, speaks_anthropic
from claude_code_proxy.config.claude_code.environment import Limits, client_base, is_loopback, lacking
from claude_code_proxy.config.claude_code.model_picker import PickerRow
from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.config.models_yaml.model_table import ModelTable
from claude_code_proxy.config.models_yaml.models_file import load_models
from claude_code_proxy.config.problems import ConfigError, Problem
from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.core import providers
from claude_code_proxy.core.providers.profile import NativeProfile
from claude_code_proxy.core.providers.registry import provider_at


@dataclass(frozen=True, slots=True)
class Route:
    """Where Claude Code sends its requests.

    With a `job` a private proxy is to be started, at `base_url` or, where that is "", on a free port.
    """

    session: Session
    limits: Limits
    base_url: str = ""
    job: Mapping[str, Any] | None = None
    is_ours: bool = True
    makes_models: bool = False
    """Whether the private proxy has models of the session's providers only."""
    addresses: tuple[tuple[str, str], ...] = ()
    """Whose key a private proxy sends where: each `api_base` and the name of its provider."""
    rows: tuple[PickerRow, ...] = ()
    """What `/model` shows; none where a running proxy tells it itself."""
    warnings: tuple[str, ...] = ()


def find_route(session: Session, path: Path, env: Mapping[str, str], *, direct: bool = False) -> Route:
    """The route of `session`, whose providers stand in the file `path`; asks loopback addresses who is there.

    With `direct` Claude Code has the key and goes to the provider itself, where they understand each other.
    Raises `ConfigError`.
    """
    models_file = ServerSettings.load({}, env).models
    offered = offered_entries(session.providers, env)
    own = session.provider
    if len(session.providers) == 1 and not session.fallback and not session.routes:
        if _can_go_straight(own):
            straight = _straight(session, models_file)
            return straight if direct else _relay(straight, models_file, path, offered)
        if _may_be_proxy(own):
            there = private_proxy.who_answers(client_base(own.base_url))
            if there == "proxy":
                limits, warnings = _limits_of_file(own, models_file)
                straight = Route(session, limits, client_base(own.base_url), warnings=warnings)
                relayed = own.keyless and not direct
                return _relay(straight, models_file, path, offered) if relayed else straight
            if there == "private" or (there is None and is_loopback(own.base_url)):
                return _own_file(session, models_file, path, beside=there == "private")
    return _made_up(session, models_file, path, offered)


def _straight(session: Session, models_file: Path) -> Route:
    """Without a proxy in between."""
    own = session.provider
    limits, warnings = _limits_of_file(own, models_file)
    rows = tuple(PickerRow(model.model_id, model.name, own.name) for model in session.models)
    first = rows[0]._replace(context=own.context or limits.context, max_tokens=limits.max_tokens)
    base_url = client_base(own.base_url)
    return Route(session, limits, base_url, is_ours=False, rows=(first, *rows[1:]), warnings=warnings)


def _relay(straight: Route, models_file: Path, path: Path, offered: Known) -> Route:
    """A private proxy on a way that needs none, so that it has the key and Claude Code has not."""
    session = straight.session
    own = replace(session.provider, format="anthropic")
    models = tuple(replace(model, provider=own) for model in session.models)
    made = _made_up(Session(own, models), models_file, path, offered)
    limits = straight.limits if straight.limits != Limits() else made.limits
    warnings = tuple(dict.fromkeys((*straight.warnings, *made.warnings)))
    return replace(
        made, limits=limits, makes_models=not straight.is_ours, rows=straight.rows, warnings=warnings
    )


def _own_file(session: Session, models_file: Path, path: Path, *, beside: bool) -> Route:
    """A private proxy with the models of the user's models.yaml, at the address where none answers yet."""
    own = session.provider
    if not models_file.exists():
        what = f"{own.name}: nothing listens at {own.base_url}"
        hint = "start the server that should be there; for a claude-code-proxy there: claude-code-proxy init"
        raise ConfigError.of([Problem(path, own.line, what, hint)])
    table = load_models(models_file)
    main = _known(table, own.model, models_file, own, path)
    base_url = "" if beside else client_base(own.base_url)
    rows = [
        PickerRow(model.model_id, model.model_name, own.name, model.context, model.max_tokens)
        for model in table.models
        if not model.is_wildcard
    ]
    job = private_proxy.file_job(models_file)
    addresses = ((main.api_base, own.name),)  # of the others nobody knows whose they are
    served = {model.model_id: model for model in table.models if not model.is_wildcard}
    return Route(session, _limits(main, served), base_url, job, rows=tuple(rows), addresses=addresses)


def _made_up(session: Session, models_file: Path, path: Path, offered: Known) -> Route:
    """A private proxy on a free port with models made from the session's providers."""
    warnings: tuple[str, ...] = ()
    try:
        known = {**offered, **known_entries(models_file)}
    except ConfigError as error:
        known, warnings = offered, (str(error),)
    session = _behind_the_proxy(session, models_file, path)
    entries = session_entries(session, known)
    lines = {model.model_id: model.provider.line for model in session.models}
    table = table_of(entries, path, lines)
    found = {model.model_id: table.resolve(model.model_id) for model in session.models}
    served = {model_id: config for model_id, config in found.items() if config is not None}
    # What serves the request of one model may be another, with more levels.
    alone = {} if session.fallback or session.routes else served
    limits = _limits(table.resolve(session.provider.model), alone)
    rows = [
        PickerRow(model.model_id, model.name, model.provider.name, config.context, config.max_tokens)
        for model in session.models
        if (config := served.get(model.model_id)) is not None
    ]
    return Route(
        session,
        limits,
        rows=tuple(rows),
        job=private_proxy.entries_job(entries, path),
        makes_models=True,
        addresses=tuple((model.provider.base_url, model.provider.name) for model in session.models),
        warnings=(*warnings, *table.warnings),
    )


def _behind_the_proxy(session: Session, models_file: Path, path: Path) -> Session:
    """The session with addresses of our own proxy replaced by the providers' that its models.yaml names."""
    if not any(_may_be_proxy(provider) and is_loopback(provider.base_url) for provider in session.providers):
        return session
    asked: dict[str, private_proxy.Presence | None] = {}
    table: ModelTable | None = None
    models: list[SessionModel] = []
    for model in session.models:
        provider = model.provider
        if _may_be_proxy(provider) and is_loopback(provider.base_url):
            base = client_base(provider.base_url)
            if base not in asked:
                asked[base] = private_proxy.who_answers(base)
            if asked[base] != "other":
                table = table or load_models(models_file)
                found = _known(table, model.name, models_file, provider, path)
                provider = replace(provider, base_url=found.api_base, format=found.format)
                model = SessionModel(model.model_id, provider, found.model_name)
        models.append(model)
    first = models[0].provider
    chosen = replace(session.provider, base_url=first.base_url, format=first.format)
    return Session(chosen, tuple(models), session.fallback, session.routes)


def _known(table: ModelTable, name: str, models_file: Path, provider: Provider, path: Path) -> ModelConfig:
    model = table.resolve(name)
    if model is None:
        near = table.near(name)
        other = f"add it there, or start the server that should be at {provider.base_url}"
        hint = f'did you mean "{near[0]}"?' if near else other
        what = f'{provider.name}: the model "{name}" is not in {models_file}'
        raise ConfigError.of([Problem(path, provider.line, what, hint)])
    return model


def _can_go_straight(provider: Provider) -> bool:
    """Whether Claude Code and the provider understand each other without anything in between."""
    if not speaks_anthropic(provider):
        return False
    needs = providers.native_for(provider.base_url, provider.profile)
    usual = NativeProfile()
    takes_bearer = needs.auth in ("as_sent", "bearer") and provider.key.kind != "aws"  # which signs instead
    return takes_bearer and (needs.mid_system, needs.drop_betas, needs.drop_fields, needs.route) == (
        usual.mid_system,
        usual.drop_betas,
        usual.drop_fields,
        usual.route,
    )


def _may_be_proxy(provider: Provider) -> bool:
    """Whether the address may be a claude-code-proxy's: not known as a provider's, and no deeper path."""
    path = urlsplit(provider.base_url).path.rstrip("/")
    return (
        provider.format is None
        and provider.profile is None
        and provider_at(provider.base_url) is None
        and path in ("", "/v1", "/anthropic")
    )


def _limits_of_file(provider: Provider, models_file: Path) -> tuple[Limits, tuple[str, ...]]:
    """What the local models.yaml knows about the model; a broken one is no reason not to start."""
    if not models_file.exists():
        return Limits(), ()
    try:
        model = load_models(models_file).resolve(provider.model)
        return _limits(model, {} if model is None else {provider.model: model}), ()
    except ConfigError as error:
        return Limits(), (str(error),)


def _limits(model: ModelConfig | None, served: Mapping[str, ModelConfig]) -> Limits:
    """What is known of the main `model`, and of all that are `served`, by the client's names."""
    if model is None:
        return Limits()
    lacks = [
        lacking(model_id, config.effort_levels)
        for model_id, config in served.items()
        if not (config.fallback or config.routes)
    ]
    effort = model.profile.effort if model.profile.effort not in ("none", "minimal") else None
    capabilities = tuple(filter(None, lacks))
    return Limits(model.context, model.max_tokens, model.is_anthropic, effort, capabilities)
