"""What hosts of Claude have refused, for the models of this process, until it ends."""

from __future__ import annotations

from dataclasses import replace

from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.core.bounded_map import BoundedMap
from claude_code_proxy.core.errors.left_out import LeftOut
from claude_code_proxy.core.providers.profile import NativeProfile
from claude_code_proxy.server.log import logger

MAX_MODELS = 256
"""Models of which something is remembered; beyond that the one taught longest ago is forgotten."""


class NativeLessons:
    """Entries by model id. Only what turned a refusal into an answer is ever added."""

    def __init__(self) -> None:
        self._taught: BoundedMap[str, tuple[ModelConfig, ModelConfig]] = BoundedMap(MAX_MODELS)

    def of(self, config: ModelConfig) -> ModelConfig:
        """`config` without what its host has refused; an entry that was edited starts anew."""
        base, taught = self._taught.get(config.model_id, (config, config))
        return taught if base == config else config

    def add(self, config: ModelConfig, native: NativeProfile) -> None:
        """Remember that the model of `config` takes what `native` leaves, beside what is known already."""
        taught = without(self.of(config), LeftOut(native.drop_betas, native.drop_fields))
        self._taught[config.model_id] = config, taught
        logger.info(
            "%s: left out from now on: %s",
            config.model_id,
            ", ".join((*taught.native.drop_betas, *taught.native.drop_fields)),
        )


def without(config: ModelConfig, found: LeftOut) -> ModelConfig:
    """`config` without what was `found`."""
    native = config.native
    betas = tuple(dict.fromkeys((*native.drop_betas, *found.betas)))
    fields = tuple(dict.fromkeys((*native.drop_fields, *found.fields)))
    return replace(config, native=replace(native, drop_betas=betas, drop_fields=fields))
