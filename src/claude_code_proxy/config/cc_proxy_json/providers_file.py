"""cc-proxy.json: the providers that `ccproxy` can start Claude Code against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from claude_code_proxy.config import urls
from claude_code_proxy.config.cc_proxy_json.key_sources import NO_KEY, KeySource, parse_key
from claude_code_proxy.config.field_reader import FieldReader
from claude_code_proxy.config.jsonc import Document, read_document
from claude_code_proxy.config.problems import ConfigError, Problem, did_you_mean
from claude_code_proxy.config.route_rules import read_rules, read_safety_model
from claude_code_proxy.core import hosts
from claude_code_proxy.core.providers import PRESETS
from claude_code_proxy.core.providers.registry import provider_at
from claude_code_proxy.core.request.request_kind import Rule
from claude_code_proxy.credentials.source import CredentialError

TIER_VARIABLES = tuple(f"ANTHROPIC_DEFAULT_{tier}_MODEL" for tier in ("OPUS", "SONNET", "HAIKU", "FABLE"))
SUBAGENT_VARIABLE = "CLAUDE_CODE_SUBAGENT_MODEL"
CLASSIFIER_VARIABLE = "CLAUDE_CODE_AUTO_MODE_MODEL"
SKIP_PREFLIGHT = "skipWebFetchPreflight"
REQUIRED_KEYS = ("base_url", "auth_key", "model")
"""`auth_key` may be left out where `needs_no_key` says so."""
OPTIONAL_KEYS = (
    "small_model",
    *TIER_VARIABLES,
    SUBAGENT_VARIABLE,
    "context",
    "max_tokens",
    "format",
    "profile",
    "fallback",
    "routes",
    "keyless",
    "safety_model",
    CLASSIFIER_VARIABLE,
    SKIP_PREFLIGHT,
    "default",
)
FLAT_NAME = "default"
"""The name of the one provider of a file in the flat form."""

_TEXTS = ("small_model", *TIER_VARIABLES, SUBAGENT_VARIABLE, CLASSIFIER_VARIABLE, "profile")
_EXAMPLE = '{"base_url": "https://...", "auth_key": "env:...", "model": "..."}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One provider. `context` and `max_tokens` are in tokens, None where the file does not say.

    `model` is the provider's own name. `small_model`, the tiers, `subagent_model`, `fallback`, `routes`,
    `safety_model` and `classifier_model` may name a model of another provider of the file, as
    `PROVIDER/MODEL`.
    """

    name: str
    base_url: str
    key: KeySource
    model: str
    small_model: str | None = None
    tiers: Mapping[str, str] = field(default_factory=dict)
    """Models of `TIER_VARIABLES`, by variable."""
    subagent_model: str | None = None
    context: int | None = None
    max_tokens: int | None = None
    format: urls.Format | None = None
    """The protocol at `base_url`; None: by its look."""
    profile: str | None = None
    """The profile's name; None: found by `base_url` and model."""
    fallback: tuple[str, ...] = ()
    """Models to move on to, in this order, while this provider is down, overloaded or out of quota."""
    routes: tuple[Rule, ...] = ()
    """Which requests for the provider's own models go to another model; the first rule that fits counts."""
    keyless: bool = False
    """Whether a running claude-code-proxy at `base_url` is asked through a private one, which has the key."""
    safety_model: str | None = None
    """The model that judges tool calls in auto mode; None: the small one; "": Claude Code asks by itself."""
    classifier_model: str | None = None
    """The model that Claude Code asks when it judges by itself."""
    skips_preflight: bool = False
    """Whether WebFetch asks Anthropic nothing about a page's host before it fetches the page."""
    is_default: bool = False
    line: int | None = None
    """Where it stands in the file."""


def needs_no_key(base_url: object) -> bool:
    """Whether the server at `base_url` is on this machine or a private network, where most ask for no key.

    A bare host name is only taken for one of these with a port that says which server it is.
    """
    try:
        host = urls.check(base_url).hostname or "" if isinstance(base_url, str) else ""
    except urls.BadUrl:
        return False  # said where the URL itself is read
    if not hosts.is_private(host):
        return False
    return hosts.is_loopback(host) or "." in host or ":" in host or provider_at(str(base_url)) is not None


def load_providers(path: Path) -> list[Provider]:
    """The providers of cc-proxy.json, in its order: a mapping of name to provider, or one provider alone.

    Raises `ConfigError` with every problem, each with its line; no message shows a key.
    """
    document = _read(path)
    if not isinstance(document.value, dict) or not document.value:
        hint = f'write {{"NAME": {_EXAMPLE}}}'
        raise ConfigError.of([Problem(path, 1, "the file must be a mapping of providers", hint)])
    problems: list[Problem] = []
    if _is_flat(document.value):
        providers = [_provider(path, document, (), document.value, problems)]
    else:
        providers = [
            _provider(path, document, (name,), value, problems) for name, value in document.value.items()
        ]
    defaults = [provider.name for provider in providers if provider and provider.is_default]
    if len(defaults) > 1:
        line = document.lines[(defaults[1], "default")]
        what = f"{' and '.join(defaults)} are marked as default"
        problems.append(Problem(path, line, what, "mark only one"))
    if problems:
        raise ConfigError.of(problems)
    return [provider for provider in providers if provider]


def choose(providers: Sequence[Provider], name: str | None, path: Path) -> Provider:
    """The provider called `name`, else the only one, else the default one; raises `ConfigError`."""
    names = [provider.name for provider in providers]
    if name is not None:
        for provider in providers:
            if provider.name == name:
                return provider
        has = did_you_mean(name, names) or f"it has {', '.join(names)}"
        hint = f"ccproxy add {name}" if name in PRESETS else has
        raise ConfigError.of([Problem(path, None, f'there is no provider "{name}"', hint)])
    if len(providers) == 1:
        return providers[0]
    for provider in providers:
        if provider.is_default:
            return provider
    hint = f'choose with -P: {", ".join(names)}; or mark one with "default": true'
    raise ConfigError.of([Problem(path, None, "there are several providers and none is the default", hint)])


def _read(path: Path) -> Document:
    try:
        return read_document(path)
    except FileNotFoundError as error:
        hint = "create it (mode 0600) with: ccproxy init"
        raise ConfigError.of([Problem(path, None, "no such file", hint)]) from error
    except OSError as error:
        raise ConfigError.of([Problem(path, None, f"cannot be read: {error.strerror}")]) from error


def _is_flat(value: Mapping[str, Any]) -> bool:
    return any(key in value and not isinstance(value[key], dict) for key in REQUIRED_KEYS)


def _provider(
    path: Path, document: Document, where: tuple[str, ...], value: Any, problems: list[Problem]
) -> Provider | None:
    name = where[0] if where else FLAT_NAME
    before = len(problems)

    def problem(key: str | None, what: str, hint: str = "") -> None:
        line = document.lines.get((*where, key) if key else where, document.lines.get(where, 1))
        problems.append(Problem(path, line, f"{name}: {what}" if where else what, hint))

    if not isinstance(value, dict):
        problem(None, "must be a provider", f"write {_EXAMPLE}")
        return None
    reader = FieldReader(value, problem)
    reader.unknown((*REQUIRED_KEYS, *OPTIONAL_KEYS))
    texts = {
        key: reader.required_text(key, f'"{key}": "..."', secret=key == "auth_key")
        for key in REQUIRED_KEYS
        if key != "auth_key" or key in value or not needs_no_key(value.get("base_url"))
    }
    texts |= {key: text for key in _TEXTS if (text := reader.text(key)) is not None}
    format_: urls.Format | None = reader.take("format", urls.Format, default=None)
    fallback = (value["fallback"],) if isinstance(value.get("fallback"), str) else reader.texts("fallback")
    if not all(fallback):
        problem("fallback", 'fallback must be a list of models like ["PROVIDER/MODEL"]')
    routes = read_rules(reader)
    safety_model = read_safety_model(reader)
    if safety_model and CLASSIFIER_VARIABLE in texts:
        what = f"safety_model is asked by the proxy, {CLASSIFIER_VARIABLE} by Claude Code itself"
        problem("safety_model", what, "write one of them")
    context, max_tokens = reader.size("context"), reader.size("max_tokens")
    keyless = reader.take("keyless", bool, default=False)
    skips_preflight = reader.take(SKIP_PREFLIGHT, bool, default=False)
    is_default = reader.take("default", bool, default=False)
    source: KeySource | None = NO_KEY if "auth_key" not in texts else None
    if texts.get("auth_key"):
        try:
            source = parse_key(texts["auth_key"])
        except CredentialError as error:
            problem("auth_key", str(error), error.hint)
    if texts["base_url"]:
        try:
            urls.check(texts["base_url"])
        except urls.BadUrl as error:
            problem("base_url", str(error).replace("api_base", "base_url"), error.hint)
    if len(problems) > before or source is None:
        return None
    return Provider(
        name=name,
        base_url=texts["base_url"],
        key=source,
        model=texts["model"],
        small_model=texts.get("small_model"),
        tiers={variable: texts[variable] for variable in TIER_VARIABLES if variable in texts},
        subagent_model=texts.get(SUBAGENT_VARIABLE),
        context=context,
        max_tokens=max_tokens,
        format=format_,
        profile=texts.get("profile"),
        fallback=fallback,
        routes=routes,
        keyless=keyless,
        safety_model="" if CLASSIFIER_VARIABLE in texts else safety_model,
        classifier_model=texts.get(CLASSIFIER_VARIABLE),
        skips_preflight=skips_preflight,
        is_default=is_default,
        line=document.lines.get(where, 1),
    )
