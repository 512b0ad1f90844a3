"""What refusals have taught about the models of this process, until it ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from claude_code_proxy.core.bounded_map import BoundedMap
from claude_code_proxy.server.log import logger

if TYPE_CHECKING:
    from claude_code_proxy.config.models_yaml.model import ModelConfig
    from claude_code_proxy.core.providers.profile import Profile

MAX_MODELS = 256
"""Models of which something is remembered; beyond that the one taught longest ago is forgotten."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """`fields` were learned over the profile `base` of the upstream at `api_base`."""

    api_base: str
    base: Profile
    fields: dict[str, Any]
    profile: Profile


class Learned:
    """Profile fields by model id. Only what turned a refusal into an answer is ever added.

    So a refusal that merely quotes a caller's words teaches nothing. An entry of models.yaml that is edited
    starts anew.
    """

    def __init__(self) -> None:
        self._entries: BoundedMap[str, _Entry] = BoundedMap(MAX_MODELS)

    def profile(self, config: ModelConfig) -> Profile:
        """The profile of `config` with everything learned about it."""
        entry = self._entry(config)
        return config.profile if entry is None else entry.profile

    def add(self, config: ModelConfig, lesson: dict[str, Any]) -> None:
        """Remember the profile fields `lesson` for the model of `config`, and say so in the log."""
        entry = self._entry(config)
        fields = {**(entry.fields if entry else {}), **lesson}
        if entry is not None and entry.fields == fields:
            return
        profile = replace(config.profile, **fields)
        self._entries[config.model_id] = _Entry(config.api_base, config.profile, fields, profile)
        logger.warning(
            "%s: learned %s from its upstream (claude-code-proxy models --learned)",
            config.model_id,
            ", ".join(f"{key}={value!r}" for key, value in lesson.items()),
        )

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """The learned profile fields by model id."""
        return {model_id: dict(entry.fields) for model_id, entry in self._entries.items()}

    def _entry(self, config: ModelConfig) -> _Entry | None:
        entry = self._entries.get(config.model_id)
        if entry is None or entry.api_base != config.api_base:
            return None
        return entry if entry.base is config.profile or entry.base == config.profile else None
