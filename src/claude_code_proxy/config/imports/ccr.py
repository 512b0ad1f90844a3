"""claude-code-router: `~/.claude-code-router/config.json` (versions 1 and 2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from claude_code_proxy.config.cc_proxy_json.providers_file import needs_no_key
from claude_code_proxy.config.imports.imported import Imported, base_of
from claude_code_proxy.core import providers

_ELSEWHERE = {
    "APIKEY": "there is no server of your own to protect; each session has its own",
    "HOST": "each session has a proxy of its own on a free port",
    "PORT": "each session has a proxy of its own on a free port",
    "PROXY_URL": "export HTTPS_PROXY",
    "LOG": "ccproxy logs",
    "LOG_LEVEL": "CLAUDE_CODE_PROXY_LOG_LEVEL",
    "API_TIMEOUT_MS": "CLAUDE_CODE_PROXY_FIRST_BYTE_TIMEOUT, in seconds",
    "CUSTOM_ROUTER_PATH": "claude-code-proxy serve --hooks FILE",
    "transformers": "what a provider needs is found by its address (claude-code-proxy docs providers)",
}
_ROUTES = {
    "think": "the model decides by itself; choose another one with /model",
    "longContext": "choose a model with a large window with /model, or name it as fallback",
    "longContextThreshold": "there is no switch by length",
    "webSearch": "searches go to the provider where it has one, or to --search-url",
    "image": "a model that takes no images gets a note in their place",
}


def read_ccr(config: Mapping[str, Any], env: Mapping[str, str]) -> Imported:
    """The providers of a configuration; Router.default is the default, Router.background its small model."""
    found = Imported()
    router = config.get("Router") or {}
    routes = {role: _route(router.get(role)) for role in ("default", "background")}
    names: dict[str, str] = {}
    for provider in config.get("Providers") or config.get("providers") or ():
        if isinstance(provider, dict):
            _add(found, provider, routes["default"], names, env)
    owner, _ = routes["default"]
    if owner in names:
        found.default = names[owner]
        _background(found, *routes["background"], owner, names)
    elif router.get("default"):
        found.lacks(f"Router.default {router['default']}", "no provider of that name was taken")
    for role, why in _ROUTES.items():
        if router.get(role):
            found.lacks(f"Router.{role} {router[role]}", why)
    for key, why in _ELSEWHERE.items():
        if config.get(key):
            found.lacks(key, why)
    return found


def _add(
    found: Imported,
    provider: Mapping[str, Any],
    default: tuple[str, str],
    names: dict[str, str],
    env: Mapping[str, str],
) -> None:
    name = str(provider.get("name") or "provider")
    told = str(provider.get("api_base_url") or provider.get("baseurl") or "")
    base = base_of(told)
    preset = providers.preset_called(name)
    if base and preset is not None and "generativelanguage" in base and "/openai" not in base:
        base = preset.api_base  # its own API; ours is spoken beside it
    if not base:
        found.lacks(f"provider {name}", f"api_base_url is no address: {told!r}")
        return
    models = [str(model) for model in provider.get("models") or ()]
    model = default[1] if default[0] == name and default[1] else next(iter(models), "")
    if not model:
        found.lacks(f"provider {name}", "it names no model")
        return
    entry: dict[str, Any] = {"base_url": base, "auth_key": "", "model": model}
    if not (needs_no_key(base) and not provider.get("api_key")):
        entry["auth_key"] = found.key(name, provider.get("api_key"), base, env)
    used = (provider.get("transformer") or {}).get("use") or ()
    if any(isinstance(step, str) and step.lower() == "anthropic" for step in used):
        entry["format"] = "anthropic"
    if entry["auth_key"] is None:
        found.lacks(f"provider {name}", "it has no key")
        return
    names[name] = found.add(name, entry)
    others = [other for other in models if other != model]
    if others:
        found.notes.append(
            f"further models of {names[name]}, to be asked for with /model: {', '.join(others)}"
        )
    odd = [step for step in used if not isinstance(step, str)]
    if odd:
        found.lacks(
            f"transformers of {name} with options", "extra_body and profile keys of models.yaml do that"
        )


def _background(found: Imported, owner: str, model: str, main: str, names: Mapping[str, str]) -> None:
    if not model:
        return
    if owner not in names:
        found.lacks(f"Router.background {owner},{model}", "no provider of that name was taken")
        return
    entry = found.entries[names[main]]
    entry["small_model"] = model if owner == main else f"{names[owner]}/{model}"


def _route(text: object) -> tuple[str, str]:
    """`PROVIDER,MODEL`, as the Router writes it."""
    owner, _, model = str(text or "").partition(",")
    return owner.strip(), model.strip()
