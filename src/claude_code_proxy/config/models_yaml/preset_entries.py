"""Entries of models.yaml for known providers: what `claude-code-proxy init --provider` writes."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Container, Iterable, Sequence
from typing import Any

from claude_code_proxy.config.problems import ConfigError, did_you_mean
from claude_code_proxy.config.value_kinds import shown
from claude_code_proxy.core import providers

HEAD = """\
# The models that claude-code-proxy offers. Every key: claude-code-proxy docs configuration
#
# There is no place for API keys: each request brings its own, and it goes to that model's api_base only.
# The running server reads this file again when it changes.
# Sizes are in tokens: 8192, 8k (8000), 1.5k, 1m (1000000).
"""
_OWN_PART = re.compile(r"\b[A-Z]{3,}\b")
_PLAIN = re.compile(r"[A-Za-z0-9][\w./:@+-]*(/\*)?")


def chosen(names: Iterable[str]) -> list[providers.Provider]:
    """The presets of these names, each once. Raises `ConfigError` with the near names for a wrong one."""
    wrong = [name for name in names if name not in providers.PRESETS]
    if wrong:
        raise ConfigError(
            "\n".join(
                f"no provider is called {shown(name)} ({did_you_mean(name, providers.PRESETS) or _known()})"
                for name in wrong
            )
        )
    return [providers.PRESETS[name] for name in dict.fromkeys(names)]


def _known() -> str:
    return f"there are {', '.join(providers.PRESETS)}"


def sections(presets: Sequence[providers.Provider], present: Container[str] = ()) -> str:
    """The entries of `presets` as YAML, without those whose model ids are `present` already."""
    written = [_section(preset, present) for preset in presets]
    return "\n".join(text for text in written if text)


def own_parts(presets: Iterable[providers.Provider]) -> list[str]:
    """What the user has to replace in the addresses of `presets`, such as RESOURCE."""
    return [word for preset in presets for word in _OWN_PART.findall(preset.api_base)]


def _section(preset: providers.Provider, present: Container[str]) -> str:
    if preset.models:
        entries = [_entry(preset, model) for model in preset.models if model not in present]
    else:
        entries = [] if f"{preset.name}/*" in present else [_catalogue(preset)]
    if not entries:
        return ""
    key = f" Key: {' or '.join(preset.key_variables)}." if preset.key_variables else ""
    about = textwrap.wrap(f"{preset.title} ({preset.docs}).{key} {preset.note}", 100, break_on_hyphens=False)
    return "\n".join([*(f"# {line}" for line in about), *entries, ""])


def _entry(preset: providers.Provider, model: str) -> str:
    context, output = providers.known_limits(preset.name, model)
    return _lines({"model_id": model, **_address(preset), "context": context, "max_tokens": output})


def _catalogue(preset: providers.Provider) -> str:
    """All of a provider's models: `openrouter/NAME` asks it for `NAME`."""
    return _lines({"model_id": f"{preset.name}/*", "model_name": "*", **_address(preset)})


def _address(preset: providers.Provider) -> dict[str, Any]:
    found = providers.profile_for(api_base=preset.api_base, model="").name
    named = {} if found == preset.name else {"profile": preset.name}
    return {"api_base": preset.api_base, **named}


def _lines(keys: dict[str, Any]) -> str:
    pairs = [f"{key}: {scalar(value)}" for key, value in keys.items() if value is not None]
    return "- " + "\n  ".join(pairs)


def scalar(value: str | int) -> str:
    """A YAML scalar, in quotes where it would not be read as it is."""
    return str(value) if isinstance(value, int) or _PLAIN.fullmatch(value) else f'"{value}"'
