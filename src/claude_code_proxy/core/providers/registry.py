"""Finding what is known: by a provider's name, by the address, by the id of a hosted model.

All of it is data, one file per provider (`hosted`, `clouds`, `local_servers`) and per family of models
(`model_families`): a file that is added there is found here. No code asks which provider it talks to.
"""

from __future__ import annotations

import dataclasses
import difflib
import pkgutil
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib import import_module
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from claude_code_proxy.core.hosts import is_private
from claude_code_proxy.core.providers import clouds, hosted, local_servers, model_families
from claude_code_proxy.core.providers.profile import NativeProfile, Profile
from claude_code_proxy.core.providers.types import Family, Limit, Provider


def _files(folder: ModuleType) -> list[Any]:
    """The modules of a folder, by name."""
    return [import_module(f"{folder.__name__}.{file.name}") for file in pkgutil.iter_modules(folder.__path__)]


PROVIDERS: dict[str, Provider] = {
    file.PROVIDER.name: file.PROVIDER for folder in (hosted, clouds, local_servers) for file in _files(folder)
}

PRESETS: dict[str, Provider] = {name: known for name, known in PROVIDERS.items() if known.api_base}
"""The providers that an entry of models.yaml or cc-proxy.json can be made for."""

_CALLED: dict[str, Provider] = {
    called: known for known in PRESETS.values() for called in (known.name, *known.aliases)
}
CALLED: tuple[str, ...] = tuple(_CALLED)
"""Every name by which a preset is found: its own and its aliases."""

_CUSTOM = Profile(
    evidence="the most widely accepted behaviour of every field; nothing known about the provider"
)
_PROFILES: dict[str, Profile] = {
    **{name: known.profile for name, known in PROVIDERS.items() if known.profile is not None},
    _CUSTOM.name: _CUSTOM,
}
PROFILE_NAMES: tuple[str, ...] = tuple(_PROFILES)

_UNTOUCHED = NativeProfile(evidence="nothing known about the endpoint: nothing is touched")
_HOSTS = {host: known.name for known in PROVIDERS.values() for host in known.hosts}
_HOST_PATTERNS = [(pattern, name) for pattern, name in _HOSTS.items() if "*" in pattern]
_PORTS = {known.port: known.name for known in PROVIDERS.values() if known.port is not None}
_MODEL_PREFIXES = [(prefix, known.name) for known in PROVIDERS.values() for prefix in known.model_prefixes]
_SHARED_FAMILIES: list[Family] = [family for file in _files(model_families) for family in file.FAMILIES]
_SHARED_LIMITS: list[Limit] = [
    limit for file in _files(model_families) for limit in getattr(file, "LIMITS", ())
]


class UnknownProfile(KeyError):  # noqa: N818 - the name reads as the fact, as KeyError does
    """No profile has this name. `near` lists the names that look like it, best first."""

    def __init__(self, name: str, near: list[str]) -> None:
        super().__init__(name)
        self.name = name
        self.near = near

    def __str__(self) -> str:
        hint = f"; did you mean {' or '.join(self.near)}?" if self.near else ""
        return f"unknown profile {self.name!r}{hint}"


def preset_called(name: str) -> Provider | None:
    """The preset of this name or alias, whatever its case."""
    return _CALLED.get(name.lower())


def profile_named(name: str) -> Profile:
    """The profile called `name`, before any model's overrides. Raises `UnknownProfile`."""
    try:
        return _PROFILES[name]
    except KeyError:
        near = difflib.get_close_matches(name.lower(), PROFILE_NAMES)
        raise UnknownProfile(name, near) from None


@lru_cache(maxsize=1024)
def profile_for(*, api_base: str, model: str, name: str | None = None) -> Profile:
    """The profile of the upstream `model` at `api_base`; `name` picks it whatever the address says.

    Without a name the address decides; at an unknown public address the id of a vendor's own model does;
    else it is `custom`. Then come the overrides of the model's family and its known limits. Raises
    `UnknownProfile` for a `name` that no profile has.
    """
    if name is None:
        name = provider_at(api_base) or provider_of_model(api_base, model)
        # Anthropic's own address has a native profile only; entries for it are passed through.
        name = name if name in _PROFILES else _CUSTOM.name
    profile = profile_named(name)
    lowered = model.lower()
    for family in _families(name):
        if fnmatchcase(lowered, family.pattern):
            profile = dataclasses.replace(profile, **family.overrides)
    context, output = known_limits(name, model)
    return dataclasses.replace(
        profile,
        context_window=context if context is not None else profile.context_window,
        max_output=output if output is not None else profile.max_output,
    )


def native_for(api_base: str, name: str | None = None) -> NativeProfile:
    """The needs of the Anthropic-format endpoint at `api_base`; `name` picks the provider by itself.

    An address or a name that nothing is known of gets `custom`, which changes nothing. A route is left only
    where the address is of that kind.
    """
    known = PROVIDERS.get(name if name is not None else provider_at(api_base) or "")
    if known is None or known.native is None:
        return _UNTOUCHED
    route = known.native.route
    if route is None or _path(api_base).endswith(route.base):
        return known.native
    return dataclasses.replace(known.native, route=None)


def known_limits(name: str, model: str) -> tuple[int | None, int | None]:
    """(context window, output limit) of `model` at the provider `name`, each None if unknown."""
    lowered = model.lower()
    known = PROVIDERS.get(name)
    own = known.limits if known is not None else ()
    for limit in (*own, *(limit for limit in _SHARED_LIMITS if name in limit.rows)):
        if fnmatchcase(lowered, limit.pattern):
            return limit.context, limit.output
    return None, None


def provider_at(api_base: str) -> str | None:
    """The name of the provider that serves at `api_base` (any URL), or None for an unknown address."""
    host, port = _host_and_port(api_base)
    labels = host.split(".")
    for start in range(len(labels)):  # the longest name first
        if (name := _HOSTS.get(".".join(labels[start:]))) is not None:
            return name
    for pattern, name in _HOST_PATTERNS:
        if fnmatchcase(host, pattern):
            return name
    return _PORTS.get(port) if port is not None and is_private(host) else None


def provider_of_model(api_base: str, model: str) -> str | None:
    """The vendor of a model's id at an unknown public address: a relay for the vendor's own API.

    None where the id proves nothing: a server on a private host runs its own copy of the model, and an id
    with a slash names a model of a host's catalogue.
    """
    host, _ = _host_and_port(api_base)
    if is_private(host) or "/" in model:
        return None
    return next((name for start, name in _MODEL_PREFIXES if model.lower().startswith(start)), None)


def lacks_v1(host: str, path: str) -> bool:
    """Whether `/v1` follows the base `path` of OpenAI's format although it does not say so."""
    name = provider_at(f"https://{host}")
    if name is None or not path:
        return not path and not (name and PROVIDERS[name].is_versionless)
    return path in PROVIDERS[name].bases_without_v1


def _families(name: str) -> list[Family]:
    own = PROVIDERS[name].families if name in PROVIDERS else ()
    return [*(family for family in _SHARED_FAMILIES if name in family.rows), *own]


def _path(api_base: str) -> str:
    return api_base.partition("?")[0].rstrip("/")


def _host_and_port(api_base: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(api_base)
        return (parts.hostname or "").rstrip("."), parts.port
    except ValueError:  # a bad port or bracket; whoever reads the configuration complains about the URL
        return "", None
