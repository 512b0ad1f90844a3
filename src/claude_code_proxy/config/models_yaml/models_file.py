"""models.yaml: read once, and read again when it changes (docs/configuration.md has every key)."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from claude_code_proxy.config.models_yaml.entry import read_entry
from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.config.models_yaml.model_table import ModelTable
from claude_code_proxy.config.models_yaml.yaml_source import read_sections
from claude_code_proxy.config.problems import ConfigError, Problem, did_you_mean
from claude_code_proxy.config.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["FixedModels", "ModelConfig", "ModelTable", "ModelsFile", "load_custom_models", "load_models"]

_CHECK_EVERY = 1.0  # seconds between two looks at the file


def load_models(path: Path) -> ModelTable:
    """Read models.yaml.

    Raises `ConfigError` with every problem of the file, each with its line and how to fix it.
    """
    problems: list[Problem] = []
    warnings: list[Problem] = []
    models: list[ModelConfig] = []
    first_line: dict[str, int] = {}
    for section in read_sections(path, problems):
        model = read_entry(path, section, problems, warnings)
        if model is None:
            continue
        line = section.line_of("model_id")
        if model.model_id in first_line:
            what = f'the model_id "{model.model_id}" is already used in line {first_line[model.model_id]}'
            problems.append(
                Problem(path, line, what, "ids are what clients ask for: give each entry its own")
            )
        first_line.setdefault(model.model_id, line)
        models.append(model)
    table = ModelTable(models, [str(warning) for warning in warnings])
    problems += check_fallbacks(path, table, first_line)
    if problems:
        raise ConfigError.of(problems)
    return table


def check_fallbacks(path: Path, table: ModelTable, lines: Mapping[str, int | None]) -> list[Problem]:
    """What is wrong with the fallbacks of a table; `lines` are the entries' by model id."""
    problems: list[Problem] = []
    for model in table.models:
        for name in model.fallback:
            found = table.resolve(name)
            if found is None:
                hint = did_you_mean(name, (other.model_id for other in table.models))
                what = f'fallback: no entry serves "{name}"'
            elif found.model_id == model.model_id:
                what, hint = "fallback names the entry itself", "name another one"
            else:
                continue
            problems.append(Problem(path, lines.get(model.model_id), what, hint))
    return problems


def load_custom_models(path: Path | None = None) -> ModelTable:
    """The models of `path`, or of the file that the server would use by its environment.

    Raises `ConfigError` as `load_models` does.
    """
    return load_models(path or ServerSettings.load({}, os.environ).models)


class FixedModels:
    """Models that come from no file and stay as they are.

    `key_is_for` is the only `api_base` that a key in an Authorization header may reach; "": any.
    """

    def __init__(self, table: ModelTable, key_is_for: str = "") -> None:
        self.table = table
        self.key_is_for = key_is_for


class ModelsFile:
    """models.yaml as it is now: `table` looks at most once a second whether the file changed.

    The constructor reads the file and raises `ConfigError`. A later edit that breaks it keeps the last good
    table and says so once through `warn`, which also gets the warnings of each good version.
    """

    def __init__(
        self, path: Path, warn: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.path = path
        self._warn = warn
        self._clock = clock
        self._version = self._look()
        self._table = load_custom_models(path)
        self._looked_at = clock()
        self._tell(self._table)

    @property
    def table(self) -> ModelTable:
        """The models of the last good version of the file."""
        now = self._clock()
        if now - self._looked_at >= _CHECK_EVERY:
            self._looked_at = now
            version = self._look()
            if version != self._version:
                self._version = version
                self._reload()
        return self._table

    def _reload(self) -> None:
        try:
            self._table = load_custom_models(self.path)
        except ConfigError as error:
            self._warn(f"{error}\nkeeping the models of the last good version of {self.path}")
        else:
            self._tell(self._table)

    def _tell(self, table: ModelTable) -> None:
        for warning in table.warnings:
            self._warn(warning)

    def _look(self) -> tuple[int, int, int] | None:
        """What tells two versions of the file apart; None when it is not there."""
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino
