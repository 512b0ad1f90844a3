"""What a value in a configuration file may be, in words and as a check."""

from __future__ import annotations

import datetime
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from claude_code_proxy.config.problems import did_you_mean

T = TypeVar("T")

_WORDS: dict[Any, str] = {
    bool: "true or false",
    str: "text",
    int: "a whole number",
    float: "a number",
    tuple[str, ...]: "a list of texts",
    tuple[float, float]: "a list of two numbers",
    type(None): "null",
}
_LONGEST_SHOWN = 40
_MOST_BITS = 4096  # of a number; Python writes 4300 digits at most


class BadValue(ValueError):  # noqa: N818 - the module's own word, caught by name
    """A value of the wrong kind: the text says what it must be; `hint` may say how to fix it."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.hint = hint


def convert(value: object, kind: type[T]) -> T:
    """`value` as `kind` (a type or a union, tuple, literal or mapping of types); raises `BadValue`."""
    import msgspec  # here: `ccproxy --help` reads no file

    choices = _choices(kind)
    if value is False and "off" in choices:
        value = "off"  # YAML 1.1 reads a bare off as false
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        pass
    what = f"must be {describe(kind)}, not {shown(value)}"
    if isinstance(value, str) and choices:
        raise BadValue(what, did_you_mean(value, choices))
    if isinstance(value, datetime.date | int | float) and kind is str:
        raise BadValue(what, "put it in quotes")
    raise BadValue(what)


def describe(kind: Any) -> str:
    """What `convert` takes for `kind`, for a person."""
    if kind in _WORDS:
        return _WORDS[kind]
    origin = typing.get_origin(kind)
    if origin is Literal:
        return f"one of {', '.join(typing.get_args(kind))}"
    if origin in (types.UnionType, typing.Union):
        return " or ".join(describe(member) for member in typing.get_args(kind))
    if origin is tuple:
        return f"a list whose members are each {describe(typing.get_args(kind)[0])}"
    assert origin in (dict, Mapping), kind
    return "a mapping"


def shown(value: object) -> str:
    """`value` as an error message may show it: short, and no content of mappings and lists."""
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return "a number with thousands of digits"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def _choices(kind: Any) -> tuple[str, ...]:
    """The words that `kind` allows, also inside a union."""
    if typing.get_origin(kind) is Literal:
        return typing.get_args(kind)
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        return tuple(choice for member in typing.get_args(kind) for choice in _choices(member))
    return ()
