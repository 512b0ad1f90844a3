"""LiteLLM's proxy: its `config.yaml`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from claude_code_proxy.config.cc_proxy_json.providers_file import needs_no_key
from claude_code_proxy.config.imports.imported import Imported, base_of
from claude_code_proxy.core import providers

_PROVIDERS = {
    "dashscope": "qwen", "fireworks_ai": "fireworks", "hosted_vllm": "vllm", "lm_studio": "lmstudio",
    "moonshot": "kimi", "nvidia_nim": "nim", "ollama_chat": "ollama", "text-completion-openai": "openai",
    "together_ai": "together", "volcengine": "doubao", "zai": "glm",
}  # fmt: skip
"""LiteLLM's names of providers where ours are others."""
_CLOUDS = {
    "bedrock": "Amazon's own signatures", "sagemaker": "Amazon's own signatures",
    "vertex_ai": "Google's own tokens", "vertex_ai_beta": "Google's own tokens",
    "github_copilot": "tokens that a login makes",
}  # fmt: skip
_READ = ("model", "api_base", "base_url", "api_key", "max_tokens")
_ANTHROPIC = "https://api.anthropic.com"
_SECTIONS = {
    "general_settings": "there is no server of your own to run; a team's server is claude-code-proxy serve",
    "environment_variables": "export them yourself",
    "guardrails": "claude-code-proxy serve --hooks FILE",
    "mcp_servers": "claude mcp add",
    "vector_store_registry": "Claude Code has nothing for it",
}


def read_litellm(config: Mapping[str, Any], env: Mapping[str, str]) -> Imported:
    """The models of a config.yaml: one provider for each address and key, the first model as its own."""
    found = Imported()
    places: dict[tuple[str, str], str] = {}
    owners: dict[str, str] = {}  # LiteLLM's name of a model: how cc-proxy.json refers to it
    for model in config.get("model_list") or ():
        if isinstance(model, dict):
            _add(found, model, places, owners, env)
    found.default = next(iter(found.entries), "")
    for name, others in _fallbacks(config):
        _fall_back(found, name, others, owners)
    for section, why in _SECTIONS.items():
        if config.get(section):
            found.lacks(section, why)
    for section in ("litellm_settings", "router_settings"):
        left = sorted(key for key in config.get(section) or {} if not key.endswith("fallbacks"))
        if left:
            found.lacks(
                f"{section}: {', '.join(left)}", "no counterpart; retries and unknown fields need none"
            )
    return found


def _add(
    found: Imported,
    model: Mapping[str, Any],
    places: dict[tuple[str, str], str],
    owners: dict[str, str],
    env: Mapping[str, str],
) -> None:
    params = model.get("litellm_params") or {}
    name = str(model.get("model_name") or params.get("model") or "")
    whole = str(params.get("model") or "")
    prefix, slash, rest = whole.partition("/")
    upstream = rest if slash else whole
    if not upstream:
        found.lacks(f"model {name or '(without a name)'}", "its litellm_params name no model")
        return
    if prefix in _CLOUDS:
        found.lacks(f"model {name}", f"{prefix} needs {_CLOUDS[prefix]}")
        return
    preset = providers.preset_called(_PROVIDERS.get(prefix, prefix)) if slash else providers.PRESETS["openai"]
    told = str(params.get("api_base") or params.get("base_url") or "")
    base = base_of(told) or (_ANTHROPIC if prefix == "anthropic" else preset.api_base if preset else "")
    if not base or any(part.isupper() for part in base.replace("/", ".").split(".") if part.isalpha()):
        found.lacks(f"model {name}", f"no address is known for {prefix}; give api_base")
        return
    place = (base, str(params.get("api_key") or ""))
    if place in places:
        owner = places[place]
        found.notes.append(f"further model of {owner}, to be asked for with /model: {upstream}")
    else:
        owner = _new(found, name, prefix, upstream, place, params, model, env)
        if not owner:
            return
        places[place] = owner
    is_own = found.entries[owner]["model"] == upstream
    owners.setdefault(name, owner if is_own else f"{owner}/{upstream}")
    left = sorted(set(params) - set(_READ))
    if left:
        found.lacks(f"{', '.join(left)} of {name}", "write them into an entry of models.yaml")


def _new(
    found: Imported,
    name: str,
    prefix: str,
    upstream: str,
    place: tuple[str, str],
    params: Mapping[str, Any],
    model: Mapping[str, Any],
    env: Mapping[str, str],
) -> str:
    base, key = place
    entry: dict[str, Any] = {"base_url": base, "auth_key": "", "model": upstream}
    if key or not needs_no_key(base):
        preset = providers.preset_called(_PROVIDERS.get(prefix, prefix))
        usual = preset.key_variables[0] if preset is not None and preset.key_variables else ""
        entry["auth_key"] = found.key(name, key or (f"${usual}" if usual else ""), base, env)
        if prefix == "anthropic" and not key:
            entry["auth_key"] = "env:ANTHROPIC_API_KEY"
    if entry["auth_key"] is None:
        found.lacks(f"model {name}", "it has no key")
        return ""
    if prefix == "anthropic":
        entry["format"] = "anthropic"
    entry["max_tokens"] = params.get("max_tokens")
    entry["context"] = (model.get("model_info") or {}).get("max_input_tokens")
    local = providers.preset_called(_PROVIDERS.get(prefix, prefix))
    if (
        local is not None
        and local.start
        and providers.profile_for(api_base=base, model="").name != local.name
    ):
        entry["profile"] = local.name
    return found.add(prefix if local is not None or prefix == "anthropic" else name, entry)


def _fallbacks(config: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    for section in ("litellm_settings", "router_settings"):
        for kind in ("fallbacks", "context_window_fallbacks", "default_fallbacks"):
            listed = (config.get(section) or {}).get(kind) or ()
            for one in listed if isinstance(listed, list) else ():
                if isinstance(one, dict):
                    for name, others in one.items():
                        yield str(name), [str(other) for other in others or ()]


def _fall_back(found: Imported, name: str, others: list[str], owners: Mapping[str, str]) -> None:
    owner = owners.get(name, "")
    if owner not in found.entries:
        found.lacks(f"fallbacks of {name}", "only the first model of a provider can have them")
        return
    known = [owners[other] for other in others if other in owners]
    named = [f"{one}/{found.entries[one]['model']}" if one in found.entries else one for one in known]
    present = found.entries[owner].setdefault("fallback", [])
    present += [
        one
        for one in named
        if one not in present and not one.startswith(f"{owner}/{found.entries[owner]['model']}")
    ]
    if missing := [other for other in others if other not in owners]:
        found.lacks(f"fallback of {name}", f"no such model was taken: {', '.join(missing)}")
