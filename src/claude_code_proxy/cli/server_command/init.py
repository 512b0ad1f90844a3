"""`claude-code-proxy init`: write a models.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from claude_code_proxy.cli import output
from claude_code_proxy.config.models_yaml import preset_entries
from claude_code_proxy.config.models_yaml.example import EXAMPLE
from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.core.providers import Provider


def init(path: Path, providers: Sequence[str], *, force: bool) -> int:
    """Write the example, or working entries for `providers`; these are they are added to an existing file.

    Returns the exit code. Raises `ConfigError` for a file that is there and cannot be read.
    """
    try:
        chosen = preset_entries.chosen(providers)
    except ConfigError as error:
        output.error(error)
        return output.USAGE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if chosen and path.exists() and not force:
            return _add(path, chosen)
        text = f"{preset_entries.HEAD}\n{preset_entries.sections(chosen)}" if chosen else EXAMPLE
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        if not path.is_file():
            output.error(f"{path}: cannot be written: not a file")
        else:
            hint = "edit it, add to it with --provider, or overwrite it with --force"
            output.error(f"{path} already exists (hint: {hint})")
        return output.FAILURE
    except OSError as error:
        output.error(f"{path}: cannot be written: {error.strerror}")
        return output.FAILURE
    _tell(f"wrote {path}", chosen)
    return output.OK


def _add(path: Path, chosen: list[Provider]) -> int:
    from claude_code_proxy.config.models_yaml.models_file import load_models

    present = {model.model_id for model in load_models(path).models}
    text = preset_entries.sections(chosen, present)
    if not text:
        output.note(f"{path} has these models already")
        return output.OK
    kept = path.read_text(encoding="utf-8")
    with path.open("a", encoding="utf-8") as file:
        file.write(("" if kept.endswith("\n") else "\n") + "\n" + text)
    _tell(f"added to {path}", chosen)
    return output.OK


def _tell(done: str, chosen: list[Provider]) -> None:
    output.note(done)
    own = preset_entries.own_parts(chosen)
    edit = f"replace {', '.join(own)} in it" if own else "" if chosen else "edit it"
    output.note(f"next: {f'{edit}, then ' if edit else ''}run: claude-code-proxy serve")
