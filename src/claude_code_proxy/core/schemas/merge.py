"""Two schemas that both hold, as one; several of which one holds, as one."""

from __future__ import annotations

from typing import Any

from claude_code_proxy.core import wire
from claude_code_proxy.core.schemas.clean import Schema, clean
from claude_code_proxy.core.schemas.dialects import ANNOTATIONS, OF_TYPE, TYPES

_NATURAL = ("string", "boolean", "null", "object", "array", "integer", "number")

_LARGER = frozenset({"minLength", "minItems", "minProperties", "minContains", "minimum", "exclusiveMinimum"})
_SMALLER = frozenset({"maxLength", "maxItems", "maxProperties", "maxContains", "maximum", "exclusiveMaximum"})

_SIMPLE = ANNOTATIONS | OF_TYPE["string"] | OF_TYPE["number"] | {"type", "enum", "const"}


def same(left: Any, right: Any) -> bool:
    """Whether two JSON values are the same; `true` is not 1 here."""
    return left is right or wire.dumps(left) == wire.dumps(right)


def is_of_type(value: Any, kind: str) -> bool:
    """Whether a JSON value is of a type of JSON Schema."""
    match kind:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "integer":
            return (isinstance(value, int) and not isinstance(value, bool)) or (
                isinstance(value, float) and value.is_integer()
            )
        case _:
            return isinstance(value, int | float) and not isinstance(value, bool)


def types_of(schema: Schema) -> list[str]:
    """The types that `type` names, each once; all of them where there is none."""
    kind = schema.get("type", TYPES)
    return [kind] if isinstance(kind, str) else list(dict.fromkeys(kind))


def with_types(schema: Schema, types: list[str]) -> Schema:
    """`schema` with another `type`."""
    return {**schema, "type": types[0] if len(types) == 1 else types}


def both(first: Schema, second: Schema) -> tuple[Schema | None, Schema]:
    """What holds where both schemas do, and what of the second could not be put into it.

    None where nothing can be both. Neither holds `$ref`. Where both annotate, the second counts.
    """
    merged, left = dict(first), {}
    for key, value in second.items():
        if key not in merged or key in ANNOTATIONS:
            merged[key] = value
            continue
        mine = merged[key]
        if same(mine, value):
            continue
        found = _both_of(key, mine, value)
        if found is _NOTHING:
            return None, {}
        if found is _UNKNOWN:
            left[key] = value
        else:
            merged[key] = found
    return merged, left


_NOTHING, _UNKNOWN = object(), object()


def _both_of(key: str, mine: Any, other: Any) -> Any:
    if key in _LARGER:
        return max(mine, other)
    if key in _SMALLER:
        return min(mine, other)
    match key:
        case "type":
            types = _common_types(types_of({"type": mine}), types_of({"type": other}))
            return with_types({}, types)["type"] if types else _NOTHING
        case "required":
            return list(dict.fromkeys([*mine, *other]))
        case "properties" | "patternProperties":
            return mine | {name: both_lazily(mine.get(name, True), value) for name, value in other.items()}
        case "items" | "additionalProperties" | "propertyNames":
            return both_lazily(mine, other)
        case "enum":
            written = {wire.dumps(value) for value in other}
            return [value for value in mine if wire.dumps(value) in written] or _NOTHING
        case "const":
            return _NOTHING
        case "uniqueItems":
            return True
        case "allOf":
            return [*mine, *other]
        case _:
            return _UNKNOWN


def both_lazily(first: Any, second: Any) -> Any:
    """Two schemas that both hold, as a schema; `true` and `false` are schemas too."""
    if first is False or second is False:
        return False
    if first is True or second is True:
        return second if first is True else first
    if same(first, second):
        return first
    one, other = clean(first)[0], clean(second)[0]
    if one.keys() | other.keys() <= _SIMPLE:
        merged, left = both(one, other)
        if merged is not None and not left:
            return merged
    return {"allOf": [first, second]}


def _common_types(first: list[str], second: list[str]) -> list[str]:
    found = []
    for kind in first:
        if kind in second or (kind == "integer" and "number" in second):
            found.append(kind)
        elif kind == "number" and "integer" in second:
            found.append("integer")
    return found


def any_of(schemas: list[Any]) -> Any:
    """A schema that holds where one of `schemas` does; one that is there twice counts once."""
    different = list({wire.dumps(schema): schema for schema in schemas}.values())
    if len(different) == 1:
        return different[0]
    return _one_enum(different) or {"anyOf": different}


def _one_enum(schemas: list[Any]) -> Schema | None:
    """Schemas that are fixed values and nothing else, as one: the marks of a discriminated union."""
    values: list[Any] = []
    for schema in schemas:
        if not isinstance(schema, dict) or not schema.keys() <= {"type", "const", "enum"} or len(schema) > 2:
            return None
        fixed = [schema["const"]] if "const" in schema else schema.get("enum")
        if not isinstance(fixed, list):
            return None
        kinds = schema.get("type", TYPES)
        kinds = [kinds] if isinstance(kinds, str) else kinds
        values += [value for value in fixed if any(is_of_type(value, kind) for kind in kinds)]
    values = list({wire.dumps(value): value for value in values}.values())
    types = natural_types(values)
    return {"type": types[0], "enum": values} if len(types) == 1 else None


def natural_types(values: list[Any]) -> list[str]:
    """The types of some JSON values, each once."""
    kinds = [next(kind for kind in _NATURAL if is_of_type(value, kind)) for value in values]
    return [kind for kind in dict.fromkeys(kinds) if not (kind == "integer" and "number" in kinds)]
