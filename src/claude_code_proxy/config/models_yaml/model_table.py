"""All models of one models.yaml, and which one a name means."""

from __future__ import annotations

from collections.abc import Sequence

from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.config.problems import near

ALIAS_PREFIX = "anthropic/"
"""Claude Code's model discovery only keeps ids with claude or anthropic in them (its 2.1.197: at the start),
so every other model is also offered under an alias with this prefix."""

_WINDOW_SUFFIX = (
    "[1m]"  # Claude Code's mark for a window of a million tokens; other clients may send it along
)
_REMEMBERED = 256


def is_shown_by_clients(model_id: str) -> bool:
    """Whether Claude Code's model picker shows an id as it is, so that it needs no alias."""
    return model_id.lower().startswith(("claude", "anthropic"))


def names_claude(model_id: str) -> bool:
    """Whether a name is one of Anthropic's own models, as clients ask for them unless told otherwise."""
    return model_id.lower().removeprefix(ALIAS_PREFIX).startswith("claude-")


class ModelTable:
    """The models in the order of the file. `warnings` are what its reader should be told, one line each."""

    def __init__(self, models: Sequence[ModelConfig], warnings: Sequence[str] = ()) -> None:
        self.models = tuple(models)
        self.warnings = tuple(warnings)
        self._exact = {model.model_id: model for model in self.models if not model.is_wildcard}
        wildcards = [model for model in self.models if model.is_wildcard]
        self._wildcards = sorted(wildcards, key=lambda model: len(model.model_id), reverse=True)
        self._concrete: dict[str, ModelConfig] = {}

    def resolve(self, name: str) -> ModelConfig | None:
        """The model that a client means by `name`, or None.

        In this order: the exact id or its alias `anthropic/<id>`, the same without a `[1m]` suffix, the
        wildcard entry with the longest prefix.
        """
        if name in self._exact:  # as most are
            return self._exact[name]
        bare = name[: -len(_WINDOW_SUFFIX)] if name.lower().endswith(_WINDOW_SUFFIX) else name
        for full in (name, bare):
            for candidate in (full, full.removeprefix(ALIAS_PREFIX)):
                if candidate in self._exact:
                    return self._exact[candidate]
        return self._covered(bare) or self._covered(bare.removeprefix(ALIAS_PREFIX))

    def near(self, name: str) -> list[str]:
        """The configured ids most like `name`, best first."""
        return near(name.removeprefix(ALIAS_PREFIX), self._exact)

    def public(self) -> list[tuple[str, ModelConfig]]:
        """What a list of models shows: each id, and its alias where the id would be filtered out."""
        listed: dict[str, ModelConfig] = {}
        for model_id, model in self._exact.items():
            listed[model_id] = model
            if not is_shown_by_clients(model_id):
                listed.setdefault(ALIAS_PREFIX + model_id, self._exact.get(ALIAS_PREFIX + model_id, model))
        return list(listed.items())

    def _covered(self, name: str) -> ModelConfig | None:
        if name in self._concrete:
            return self._concrete[name]
        for model in self._wildcards:
            prefix = model.model_id[:-1]
            if name.startswith(prefix) and len(name) > len(prefix):
                if len(self._concrete) >= _REMEMBERED:  # the names are the callers': keep the memory bounded
                    self._concrete.clear()
                return self._concrete.setdefault(name, model.concrete(name))
        return None
