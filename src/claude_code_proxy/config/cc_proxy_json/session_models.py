"""The models of a private proxy: entries like those of models.yaml, made from the session's providers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from claude_code_proxy.config.cc_proxy_json.offered_models import offered_file, read_offered
from claude_code_proxy.config.cc_proxy_json.providers_file import Provider
from claude_code_proxy.config.cc_proxy_json.session_plan import Session, speaks_anthropic
from claude_code_proxy.config.models_yaml.entry import Section, read_entry
from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.config.models_yaml.model_table import ModelTable
from claude_code_proxy.config.problems import ConfigError, Problem
from claude_code_proxy.config.route_rules import OFF
from claude_code_proxy.core.request.request_kind import Rule

Entry = dict[str, Any]
Known = dict[tuple[str, str], Entry]


def known_entries(models_file: Path) -> Known:
    """The entries of a models.yaml by address and upstream name; none when there is no such file.

    Raises `ConfigError` when the file is not a list of models at all.
    """
    if not models_file.exists():
        return {}
    from claude_code_proxy.config.models_yaml.yaml_source import read_sections  # as in `models_file`

    return {
        (_address(values.get("api_base")), str(values.get("model_name") or values.get("model_id"))): values
        for values in (section.values for section in read_sections(models_file, []))
    }


def offered_entries(providers: Sequence[Provider], env: Mapping[str, str]) -> Known:
    """What the lists of models of the providers' logins have told, as `known_entries`."""
    return {
        (_address(provider.base_url), name): entry
        for provider in providers
        if provider.key.kind == "login"
        for name, entry in read_offered(offered_file(env, provider.key.value)).items()
    }


def session_entries(session: Session, known: Known) -> list[Entry]:
    """The entries for all models of `session`, and for whatever else `/model` may name, without any key.

    What `known` says of a model counts, but for what cc-proxy.json says itself.
    """
    own = session.provider
    fallback = list(session.fallback)
    routes = _written(session.routes)
    judge = own.small_model if own.safety_model is None else own.safety_model or OFF
    entries: list[Entry] = []
    for model in session.models:
        entry = entry_of(model.provider, model.model_id, model.name, known)
        if model is session.models[0]:
            entry |= _given(context=own.context, max_tokens=own.max_tokens)
        if model.provider.name == own.name:
            others = [model_id for model_id in fallback if model_id != model.model_id]
            entry |= _given(fallback=others, routes=routes)
        entries.append(entry)
    for provider in session.providers:
        if provider.name == own.name:
            entries.append(entry_of(provider, "*", "*", known) | _given(fallback=fallback, routes=routes))
        else:
            entries.append(entry_of(provider, f"{provider.name}/*", "*", known))
    return [entry | _given(safety_model=judge) for entry in entries]


def known_of(provider: Provider, model: str) -> ModelConfig:
    """What is known of a provider's model without asking anybody. Raises `ConfigError`."""
    config = table_of([entry_of(provider, model, model, {})], Path("cc-proxy.json")).resolve(model)
    assert config is not None
    return config


def table_of(
    entries: Sequence[Entry], path: Path, lines: Mapping[str, int | None] | None = None
) -> ModelTable:
    """The models of `entries`; problems are said of the file `path` and, by model id, its `lines`.

    Raises `ConfigError`.
    """
    problems: list[Problem] = []
    warnings: list[Problem] = []
    models: list[ModelConfig] = []
    for entry in entries:
        line = (lines or {}).get(entry["model_id"]) or 1
        model = read_entry(path, Section(entry, {}, line), problems, warnings)
        if model is not None:
            models.append(model)
    if problems:
        raise ConfigError.of(list(dict.fromkeys(problems)))  # a provider's models share what is wrong with it
    return ModelTable(models, [str(warning) for warning in dict.fromkeys(warnings)])


def entry_of(provider: Provider, model_id: str, name: str, known: Known) -> Entry:
    """The entry for the model that `provider` calls `name`; `known` says more of it."""
    address = _address(provider.base_url)
    entry = {key: value for key, value in known.get((address, name), {}).items() if key not in _OURS}
    entry |= {"model_id": model_id, "model_name": name, "api_base": provider.base_url}
    if speaks_anthropic(provider):
        entry["format"] = "anthropic"
    elif provider.format is not None:
        entry["format"] = provider.format
    return entry | _given(profile=provider.profile)


_OURS = ("fallback", "routes", "safety_model", "direct")
"""Keys of a models.yaml entry that mean nothing here: ids of other entries, and an older `format`."""


def _written(routes: Sequence[Rule]) -> Entry:
    """The rules as an entry has them."""
    return {rule.kind: {"above": rule.above, "to": rule.to} if rule.above else rule.to for rule in routes}


def _given(**values: Any) -> Entry:
    return {key: value for key, value in values.items() if value}


def _address(api_base: object) -> str:
    """An address in a form that can be compared; "" for what is none."""
    text = str(api_base or "").strip().rstrip("/").lower()
    return text.removesuffix("/chat/completions").removesuffix("/messages").removesuffix("/v1")


def is_known(known: Known, provider: Provider) -> bool:
    """Whether `known` has an entry for the provider's main model."""
    return (_address(provider.base_url), provider.model) in known
