"""What refusals have taught about the models of this process, until it ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.core.bounded_map import BoundedMap
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.server.log import logger

MAX_MODELS = 256
"""Models of which something is remembered; beyond that the one taught longest ago is forgotten."""
MAX_OF_KEYS = 1024
"""Models of which something is remembered for one key."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """`fields`, learned of a model with the profile `base` at `api_base`; `profile` is `over` with them."""

    api_base: str
    base: Profile
    fields: dict[str, Any]
    over: Profile
    profile: Profile


class Learned:
    """Profile fields by model id. Only what turned a refusal into an answer is ever added.

    So a refusal that merely quotes a caller's words teaches nothing. What may say something of an account, as
    limits do, holds for requests with the same key, of which nothing but a hash is kept that only this
    process can make. An entry of models.yaml that is edited starts anew.
    """

    def __init__(self) -> None:
        self._of_models: BoundedMap[str, _Entry] = BoundedMap(MAX_MODELS)
        self._of_keys: BoundedMap[tuple[str, int], _Entry] = BoundedMap(MAX_OF_KEYS)

    def profile(self, config: ModelConfig, key: str) -> Profile:
        """The profile of `config` with everything learned about it for requests with `key`."""
        over = self._for_all(config) if self._of_models else config.profile
        if not self._of_keys:
            return over
        place = config.model_id, hash(key)
        own = _valid(self._of_keys.get(place), config)
        if own is None:
            return over
        if own.over is not over and own.over != over:  # more was learned for all meanwhile
            own = self._of_keys[place] = _taught(own, config, over, {})
        return own.profile

    def add(self, config: ModelConfig, lesson: dict[str, Any], key: str, *, of_the_api: bool) -> None:
        """Remember the profile fields `lesson` for the model of `config`, and say so in the log.

        For all where they are `of_the_api`, else for requests with `key`.
        """
        before = self.profile(config, key)
        if all(getattr(before, name) == value for name, value in lesson.items()):
            return
        if of_the_api:
            entry = _valid(self._of_models.get(config.model_id), config)
            self._of_models[config.model_id] = _taught(entry, config, config.profile, lesson)
        else:
            place = config.model_id, hash(key)
            own = _valid(self._of_keys.get(place), config)
            self._of_keys[place] = _taught(own, config, self._for_all(config), lesson)
        logger.warning(
            "%s: learned %s from its upstream (claude-code-proxy models --learned)",
            config.model_id,
            ", ".join(f"{name}={value!r}" for name, value in lesson.items()),
        )

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """The learned profile fields by model id, those of single keys among them."""
        found = {model_id: dict(entry.fields) for model_id, entry in self._of_models.items()}
        for (model_id, _), entry in self._of_keys.items():
            found.setdefault(model_id, {}).update(entry.fields)
        return found

    def _for_all(self, config: ModelConfig) -> Profile:
        shared = _valid(self._of_models.get(config.model_id), config)
        return config.profile if shared is None else shared.profile


def _valid(entry: _Entry | None, config: ModelConfig) -> _Entry | None:
    """`entry` if it was learned of the same upstream with the same profile."""
    if entry is None or entry.api_base != config.api_base:
        return None
    return entry if entry.base is config.profile or entry.base == config.profile else None


def _taught(entry: _Entry | None, config: ModelConfig, over: Profile, lesson: dict[str, Any]) -> _Entry:
    fields = {**(entry.fields if entry else {}), **lesson}
    return _Entry(config.api_base, config.profile, fields, over, replace(over, **fields))
