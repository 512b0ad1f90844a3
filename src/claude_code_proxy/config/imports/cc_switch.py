"""cc-switch: `~/.cc-switch/config.json` (versions 1 and 2), or the rows of its later `cc-switch.db`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from claude_code_proxy.config.cc_proxy_json.providers_file import SUBAGENT_VARIABLE, TIER_VARIABLES
from claude_code_proxy.config.imports.imported import Imported, base_of
from claude_code_proxy.core import providers
from claude_code_proxy.core.providers.registry import provider_at

Row = tuple[str, dict[str, Any], bool]
"""A provider: its name, its settings of Claude Code, whether it is the current one."""

_KEYS = ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY")
_READ = (
    *_KEYS,
    *TIER_VARIABLES,
    *(f"{variable}_NAME" for variable in TIER_VARIABLES),
    SUBAGENT_VARIABLE,
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_MODEL",
    "ANTHROPIC_SMALL_FAST_MODEL",
)


def rows_of(config: Mapping[str, Any]) -> list[Row]:
    """The providers for Claude Code of a config.json."""
    part = config.get("claude") if isinstance(config.get("claude"), dict) else config
    assert part is not None
    listed = part.get("providers") or {}
    return [
        (str(provider.get("name") or name), provider.get("settingsConfig") or {}, name == part.get("current"))
        for name, provider in listed.items()
        if isinstance(provider, dict)
    ]


def read_cc_switch(rows: Iterable[Row], env: Mapping[str, str]) -> Imported:
    """The providers of `rows`; the current one is the default."""
    found = Imported()
    for name, settings, is_current in rows:
        taken = _add(found, name, settings, env)
        if is_current:
            found.default = taken
    return found


def _add(found: Imported, name: str, settings: Mapping[str, Any], env: Mapping[str, str]) -> str:
    variables = {key: str(value) for key, value in (settings.get("env") or {}).items() if value}
    told = variables.get("ANTHROPIC_BASE_URL", "")
    base = base_of(told)
    if not base:
        found.lacks(
            f"provider {name}", "it has no address of its own: plain claude uses your login with Anthropic"
        )
        return ""
    known = providers.PRESETS.get(provider_at(base) or "")
    models = (variables.get("ANTHROPIC_MODEL"), *(variables.get(tier) for tier in TIER_VARIABLES))
    model = next((one for one in models if one), "") or (known.models[0] if known and known.models else "")
    key = found.key(name, next((variables[one] for one in _KEYS if variables.get(one)), ""), base, env)
    if not model or key is None:
        found.lacks(f"provider {name}", "it names no model" if not model else "it has no key")
        return ""
    tiers = {tier: variables.get(tier) for tier in TIER_VARIABLES if variables.get(tier) != model}
    small = variables.get("ANTHROPIC_SMALL_FAST_MODEL")
    entry = {
        "base_url": base,
        "auth_key": key,
        "model": model,
        "format": "anthropic",
        "small_model": small if small != model else None,
        **tiers,
        SUBAGENT_VARIABLE: variables.get(SUBAGENT_VARIABLE),
    }
    taken = found.add(name, entry)
    others = sorted(set(variables) - set(_READ))
    if others:
        found.lacks(f"variables of {taken}", f"export them yourself: {', '.join(others)}")
    if further := sorted(set(settings) - {"env"}):
        found.lacks(f"settings of {taken}", f"they belong to ~/.claude/settings.json: {', '.join(further)}")
    return taken
