"""What one session of Claude Code may ask for: its models, whose they are, and which keys that takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from claude_code_proxy.config import urls
from claude_code_proxy.config.cc_proxy_json.providers_file import Provider
from claude_code_proxy.config.problems import ConfigError, Problem
from claude_code_proxy.core.providers import native_for
from claude_code_proxy.core.request.request_kind import Rule


@dataclass(frozen=True, slots=True)
class SessionModel:
    """A model that the session may ask for: by which id, whose it is, and that provider's name for it."""

    model_id: str
    provider: Provider
    name: str


@dataclass(frozen=True, slots=True)
class Session:
    """One session. `provider` is the chosen one with its references written as the session's model ids."""

    provider: Provider
    models: tuple[SessionModel, ...]
    """The main model first; each id once."""
    fallback: tuple[str, ...] = ()
    """Model ids to move on to, in this order."""
    routes: tuple[Rule, ...] = ()
    """To which model ids other kinds of requests go."""

    @property
    def providers(self) -> tuple[Provider, ...]:
        """The providers whose keys the session needs, the chosen one first."""
        by_name = {model.provider.name: model.provider for model in self.models}
        return (self.provider, *(found for name, found in by_name.items() if name != self.provider.name))


def plan_session(chosen: Provider, providers: Sequence[Provider], path: Path) -> Session:
    """The session on `chosen`; `providers` are all of the file `path`.

    A reference `NAME/MODEL` means the provider NAME where the file has one; its own name may be written too,
    for a model whose own name begins like another provider's. Raises `ConfigError`.
    """
    by_name = {provider.name: provider for provider in providers}
    models = {chosen.model: SessionModel(chosen.model, chosen, chosen.model)}

    def take(reference: str) -> str:
        model = _resolve(reference, chosen, by_name)
        present = models.setdefault(model.model_id, model)
        if present.provider is not model.provider:
            what = f'{chosen.name}: "{reference}" may be its own model or one of {model.provider.name}'
            hint = f'write "{chosen.name}/{reference}" for its own'
            raise ConfigError.of([Problem(path, chosen.line, what, hint)])
        return model.model_id

    meant = replace(
        chosen,
        small_model=take(chosen.small_model) if chosen.small_model else None,
        tiers={variable: take(model) for variable, model in chosen.tiers.items()},
        subagent_model=take(chosen.subagent_model) if chosen.subagent_model else None,
        safety_model=take(chosen.safety_model) if chosen.safety_model else chosen.safety_model,
        classifier_model=take(chosen.classifier_model) if chosen.classifier_model else None,
    )
    fallback = tuple(dict.fromkeys(take(reference) for reference in chosen.fallback))
    if chosen.model in fallback:
        what = f"{chosen.name}: fallback names the model itself"
        raise ConfigError.of([Problem(path, chosen.line, what, "name another one")])
    routes = tuple(rule._replace(to=take(rule.to)) for rule in chosen.routes)
    return Session(meant, tuple(models.values()), fallback, routes)


def _resolve(reference: str, own: Provider, by_name: Mapping[str, Provider]) -> SessionModel:
    head, slash, rest = reference.partition("/")
    if slash and rest and head == own.name:
        return SessionModel(rest, own, rest)
    if slash and rest and head in by_name:
        return SessionModel(reference, by_name[head], rest)
    return SessionModel(reference, own, reference)


def speaks_anthropic(provider: Provider) -> bool:
    """Whether the provider's own endpoint takes Messages: as the file says, else by the look of its URL."""
    if provider.format is not None:
        return provider.format == "anthropic"
    parts = urlsplit(provider.base_url)
    if urls.is_anthropic(parts) or parts.path.rstrip("/").endswith(("/anthropic", "/messages")):
        return True
    return native_for(provider.base_url, provider.profile).route is not None
