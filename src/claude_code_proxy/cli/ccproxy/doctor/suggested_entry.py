"""What `ccproxy doctor` learned about a model, as a models.yaml entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from claude_code_proxy.config.cc_proxy_json.providers_file import Provider
from claude_code_proxy.config.cc_proxy_json.session_models import is_known, known_entries
from claude_code_proxy.config.settings import ServerSettings


@dataclass(slots=True)
class Learned:
    """Profile keys of a provider's model that differ from what its profile says."""

    provider: Provider
    values: dict[str, Any] = field(default_factory=dict)


def lines(learned: Learned) -> str:
    """The entry for models.yaml."""
    provider = learned.provider
    entry = {
        "model_id": f"{provider.name}/{provider.model}",
        "model_name": provider.model,
        "api_base": provider.base_url,
        **({"format": provider.format} if provider.format else {}),
        **learned.values,
    }
    return yaml.safe_dump([entry], sort_keys=False)


def keep(learned: Learned, env: Mapping[str, str]) -> str:
    """Add the entry to the local models.yaml unless it has one for this model; says what was done.

    Raises `ConfigError` when the file is not a list of models.
    """
    path = ServerSettings.load({}, env).models
    provider = learned.provider
    if is_known(known_entries(path), provider):
        return f"{path} has an entry for {provider.model}; put this into it:\n{lines(learned)}"
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    gap = "" if not before or before.endswith("\n") else "\n"
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{gap}# learned by ccproxy doctor\n{lines(learned)}")
    return f"wrote to {path}:\n{lines(learned)}"
