"""Typed access to the fields of a request; what does not fit becomes a 400 that names the JSON path."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from claude_code_proxy.core import wire
from claude_code_proxy.core.errors.api import invalid_request

_DEEPEST = 250
"""What orjson serialises (254 levels), less the four that the upstream body puts around a value."""


def kind_of(value: Any) -> str:
    """The JSON name of a value's type, for error messages."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case int() | float():
            return "a number"
        case list():
            return "an array"
        case _:
            return "an object"


def has_results(content: Any) -> bool:
    """Whether there is a tool result in the content of a message."""
    if isinstance(content, list):
        for block in content:
            if isinstance(block, dict) and block.get("type") == "tool_result":
                return True
    return False


def only_results(content: Any) -> bool:
    """Whether the content of a message is tool results and nothing else."""
    if not isinstance(content, list):
        return False
    kinds = [isinstance(block, dict) and block.get("type") for block in content]
    return kinds.count("tool_result") == len(kinds)


def required_text(owner: Mapping[str, Any], key: str, path: str) -> str:
    """The non-empty string at `key`. Raises `ApiError` 400 otherwise."""
    value = owner.get(key)
    if isinstance(value, str) and value:
        return value
    found = "missing" if key not in owner else "an empty string" if value == "" else kind_of(value)
    raise invalid_request(f"{path}.{key}: a non-empty string is required, found {found}")


def text_or_empty(owner: Mapping[str, Any], key: str) -> str:
    """The string at `key`, or "" where there is none: for fields that only describe."""
    value = owner.get(key)
    return value if isinstance(value, str) else ""


def object_or_none(owner: Mapping[str, Any], key: str, path: str) -> dict[str, Any] | None:
    """The object at `key`; None where it is missing or null. Raises `ApiError` 400 for anything else."""
    value = owner.get(key)
    if value is None or isinstance(value, dict):
        return value
    raise invalid_request(f"{path}: must be an object, found {kind_of(value)}")


def list_or_none(owner: Mapping[str, Any], key: str, path: str) -> list[Any] | None:
    """The array at `key`; None where it is missing or null. Raises `ApiError` 400 for anything else."""
    value = owner.get(key)
    if value is None or isinstance(value, list):
        return value
    raise invalid_request(f"{path}: must be an array, found {kind_of(value)}")


def number_or_none(owner: Mapping[str, Any], key: str) -> float | None:
    """The finite number at the top-level field `key`. Raises `ApiError` 400 for anything else but null."""
    value = owner.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        raise invalid_request(f"{key}: must be a finite number")
    return value


def whole_or_none(owner: Mapping[str, Any], key: str, path: str) -> int | None:
    """The whole number at `key`, also when written as 100.0. Raises `ApiError` 400 for anything else."""
    value = owner.get(key)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise invalid_request(f"{path}: must be a whole number that is not negative")
    return value


def boolean_or_none(owner: Mapping[str, Any], key: str) -> bool | None:
    """The boolean at the top-level field `key`. Raises `ApiError` 400 for anything else but null."""
    value = owner.get(key)
    if value is None or isinstance(value, bool):
        return value
    raise invalid_request(f"{key}: must be true or false, found {kind_of(value)}")


def json_text(value: Any, path: str) -> str:
    """`value` as compact JSON. Raises `ApiError` 400 where it is nested too deeply to be sent on."""
    try:
        return wire.dumps_text(value)
    except (TypeError, RecursionError):
        raise invalid_request(f"{path}: is nested too deeply (at most {_DEEPEST} levels)") from None


def check_nesting(value: Any, path: str) -> None:
    """Raise `ApiError` 400 where `value` is nested too deeply to be sent on."""
    try:
        wire.dumps([[[[value]]]])
    except (TypeError, RecursionError):
        raise invalid_request(f"{path}: is nested too deeply (at most {_DEEPEST} levels)") from None


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
