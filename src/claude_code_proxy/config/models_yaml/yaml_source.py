"""A YAML file as plain values that remember their lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from claude_code_proxy.config.models_yaml.entry import Section
from claude_code_proxy.config.problems import ConfigError, Problem

# The loader in C reads a thousand entries in tens of milliseconds, the one in Python in seconds.
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


_LONGEST_REASON = 200  # characters
_LARGEST = 1 << 20  # bytes: twenty thousand entries, which take seconds


def read_sections(path: Path, problems: list[Problem]) -> list[Section]:
    """Read a YAML file that is a list of mappings; what is wrong inside them goes to `problems`.

    Raises `ConfigError` when the file cannot be read, is not YAML, or is not a non-empty list.
    """
    loader = _Loader(_read_text(path))
    try:
        root = loader.get_single_node()
        return _sections(path, loader, root, problems)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        raise ConfigError.of(
            [Problem(path, line, f"not valid YAML: {error.problem or error.context}")]
        ) from error
    except RecursionError as error:
        raise ConfigError.of([Problem(path, None, "nested too deeply")]) from error
    except yaml.YAMLError as error:  # the reader: a character that YAML does not allow
        raise ConfigError.of([Problem(path, None, f"not valid YAML: {error}")]) from error
    finally:
        loader.dispose()


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            hint = 'one entry with "*" serves all models of a provider'
            raise ConfigError.of([Problem(path, None, f"larger than {_LARGEST} bytes", hint)])
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        hint = "write one with: claude-code-proxy init"
        raise ConfigError.of([Problem(path, None, "no such file", hint)]) from error
    except UnicodeDecodeError as error:
        raise ConfigError.of([Problem(path, None, "not UTF-8 text", "save the file as UTF-8")]) from error
    except OSError as error:
        raise ConfigError.of([Problem(path, None, f"cannot be read: {error.strerror}")]) from error


def _sections(
    path: Path, loader: yaml.SafeLoader, root: yaml.Node | None, problems: list[Problem]
) -> list[Section]:
    if root is None or (isinstance(root, yaml.SequenceNode) and not root.value):
        hint = "add an entry, or write an example with: claude-code-proxy init"
        raise ConfigError.of([Problem(path, None, "the file has no models", hint)])
    if not isinstance(root, yaml.SequenceNode):
        hint = 'start each model with "- model_id: ..."'
        raise ConfigError.of([Problem(path, _line(root), "the file must be a list of models", hint)])
    return [
        _section(path, loader, node, problems) for node in root.value if _is_mapping(path, node, problems)
    ]


def _is_mapping(path: Path, node: yaml.Node, problems: list[Problem]) -> bool:
    if isinstance(node, yaml.MappingNode):
        return True
    problems.append(Problem(path, _line(node), "a model must be a mapping", 'write "- model_id: ..."'))
    return False


def _section(path: Path, loader: yaml.SafeLoader, node: yaml.MappingNode, problems: list[Problem]) -> Section:
    values: dict[str, Any] = {}
    lines: dict[str, int] = {}
    _refuse_repeats(path, node, problems)
    loader.flatten_mapping(node)
    for key_node, value_node in node.value:
        key = _value(path, loader, key_node, problems)
        if not isinstance(key, str):
            problems.append(Problem(path, _line(key_node), "a key is not text", "put it in quotes"))
            continue
        values[key] = _value(path, loader, value_node, problems)
        lines[key] = _line(key_node)
        if isinstance(value_node, yaml.MappingNode):
            _refuse_repeats(path, value_node, problems)
            lines.update((f"{key}.{inner.value}", _line(inner)) for inner, _ in value_node.value)
    return Section(values, lines, _line(node))


def _value(path: Path, loader: yaml.SafeLoader, node: yaml.Node, problems: list[Problem]) -> Any:
    """What a node says. PyYAML raises whatever its constructors meet in a value like `2024-99-01`."""
    try:
        return loader.construct_object(node, deep=True)
    except yaml.YAMLError:
        raise
    except Exception as error:
        what = f"a value cannot be read: {error}"
        problems.append(Problem(path, _line(node), what[:_LONGEST_REASON], "put it in quotes"))
        return ""


def _refuse_repeats(path: Path, node: yaml.MappingNode, problems: list[Problem]) -> None:
    """YAML would let the later of two equal keys win without a word; a key merged in with `<<` may repeat."""
    seen: set[str] = set()
    for key_node, _ in node.value:
        if isinstance(key_node, yaml.ScalarNode):
            if key_node.value in seen:
                what = f'the key "{key_node.value}" occurs twice in one mapping'
                problems.append(Problem(path, _line(key_node), what, "remove one of them"))
            seen.add(key_node.value)


def _line(node: yaml.Node) -> int:
    line: int = node.start_mark.line
    return line + 1
