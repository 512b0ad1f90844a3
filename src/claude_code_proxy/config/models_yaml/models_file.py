"""models.yaml: read once, and read again when it changes (docs/configuration.md has every key)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from claude_code_proxy.config.models_yaml.entry import read_entry
from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.config.models_yaml.model_table import ModelTable
from claude_code_proxy.config.problems import ConfigError, Problem, did_you_mean
from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.config.watched_file import WatchedFile

__all__ = ["FixedModels", "ModelConfig", "ModelTable", "ModelsFile", "load_custom_models", "load_models"]


def load_models(path: Path) -> ModelTable:
    """Read models.yaml.

    Raises `ConfigError` with every problem of the file, each with its line and how to fix it.
    """
    # Here, because its import takes a while, and a session of `ccproxy` without the file needs none.
    from claude_code_proxy.config.models_yaml.yaml_source import read_sections

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
    problems += check_references(path, table, first_line)
    if problems:
        raise ConfigError.of(problems)
    return table


def check_references(path: Path, table: ModelTable, lines: Mapping[str, int | None]) -> list[Problem]:
    """What is wrong with the models that entries name; `lines` are the entries' by model id."""
    problems: list[Problem] = []
    for model in table.models:
        named = [("fallback", name) for name in model.fallback]
        named += [(f"routes.{rule.kind}", rule.to) for rule in model.routes]
        named += [("safety_model", model.safety_model)] if model.safety_model else []
        for key, name in named:
            found = table.resolve(name)
            if found is None:
                hint = did_you_mean(name, (other.model_id for other in table.models))
                what = f'{key}: no entry serves "{name}"'
            elif key == "fallback" and found.model_id == model.model_id:
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
    """Models that come from no file and stay as they are."""

    def __init__(self, table: ModelTable) -> None:
        self.table = table


class ModelsFile:
    """models.yaml as it is now: `table` looks at most once a second whether the file changed.

    The constructor reads the file and raises `ConfigError`. A later edit counts once it has stayed as it is
    for a second. One that breaks the file keeps the last good table and says so once through `warn`, which
    also gets the warnings of each good version.
    """

    def __init__(
        self, path: Path, warn: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._file = WatchedFile(path, clock)
        self._warn = warn
        self._table = load_custom_models(path)
        self._tell(self._table)

    @property
    def table(self) -> ModelTable:
        """The models of the last good version of the file."""
        if self._file.changed():
            self._reload()
        return self._table

    def _reload(self) -> None:
        path = self._file.path
        try:
            self._file.check_there()
            table = load_custom_models(path)
        except ConfigError as error:
            if self._file.is_whole():
                self._warn(f"{error}\nkeeping the models of the last good version of {path}")
        else:
            if self._file.is_whole():
                self._table = table
                self._tell(table)

    def _tell(self, table: ModelTable) -> None:
        for warning in table.warnings:
            self._warn(warning)
