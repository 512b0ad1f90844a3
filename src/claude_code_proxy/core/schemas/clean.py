"""One schema as JSON Schema 2020-12 has it: values of the right kind, words of older drafts rewritten."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from claude_code_proxy.core import wire
from claude_code_proxy.core.schemas.dialects import KINDS, TYPES

Schema = dict[str, Any]

NEVER: Schema = {"not": {}}
"""What `false` stands for: no value is allowed."""

_OTHER_WORDS = {
    **{word: word for word in TYPES},
    **dict.fromkeys(("str", "text", "char", "uuid", "date", "datetime", "url"), "string"),
    **dict.fromkeys(("int", "int32", "int64", "long", "uint"), "integer"),
    **dict.fromkeys(("float", "double", "decimal", "numeric"), "number"),
    "bool": "boolean",
    **dict.fromkeys(("dict", "map", "struct", "record", "hash"), "object"),
    **dict.fromkeys(("list", "tuple", "set"), "array"),
    **dict.fromkeys(("none", "nonetype", "nil"), "null"),
}
"""How authors of tools call the types, in lower case. OpenAPI generators write them in capitals."""

_BAD = object()


def clean(schema: Any) -> tuple[Schema, set[str]]:
    """`schema` with the keywords that have a meaning, and those whose value is nonsense and was left out.

    The result is a new object; what is nested in it is still as it came. Its `$ref` is a text or missing.
    """
    if isinstance(schema, bool):
        return ({} if schema else dict(NEVER)), set()
    if isinstance(schema, str) and schema.lower() in _OTHER_WORDS:
        return {"type": _OTHER_WORDS[schema.lower()]}, set()
    if not isinstance(schema, dict):
        return {}, {"schema"}
    cleaned: Schema = {}
    bad: set[str] = set()
    for key, value in _in_new_words(schema).items():
        if key not in KINDS:
            continue
        good = _READERS[KINDS[key]](value)
        if good is _BAD:
            bad.add(key)
        elif good is not None or key in _NULLS:
            cleaned[key] = good
    return cleaned, bad


_NULLS = ("const", "default")


def _in_new_words(schema: Schema) -> Schema:
    if not schema.keys() & _OLD:
        return schema
    new = dict(schema)
    if isinstance(new.get("items"), list):
        new["prefixItems"] = new.pop("items")
        if "additionalItems" in new:
            new["items"] = new["additionalItems"]
    first = new.get("prefixItems")
    if isinstance(first, list) and any(
        item is False or item == NEVER for item in first
    ):  # no list goes on there
        end = next(index for index, item in enumerate(first) if item is False or item == NEVER)
        new |= {"prefixItems": first[:end], "items": False}
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(new.get(exclusive), bool) and new.pop(exclusive) and bound in new:
            new[exclusive] = new.pop(bound)
    return new


_OLD = frozenset({"items", "prefixItems", "exclusiveMinimum", "exclusiveMaximum"})


def _type(value: Any) -> Any:
    if isinstance(value, str) and value in TYPES:
        return value
    words = value if isinstance(value, list) else [value]
    if not words or not all(isinstance(word, str) for word in words):
        return _BAD
    lowered = [word.lower() for word in words]
    if "any" in lowered:
        return None
    found = list(dict.fromkeys(_OTHER_WORDS[word] for word in lowered if word in _OTHER_WORDS))
    if not found:
        return _BAD
    return found if isinstance(value, list) and len(found) > 1 else found[0]


def _count(value: Any) -> Any:
    number = _number(value)
    return number if number is _BAD or number >= 0 else _BAD


def _number(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = wire.loads_bounded(value)
        except wire.WireError:
            return _BAD
    if not isinstance(value, int | float) or isinstance(value, bool):
        return _BAD
    return value if isinstance(value, int | wire.Number) or math.isfinite(value) else _BAD


def _names(value: Any) -> Any:
    if not isinstance(value, list):
        return _BAD
    return list(dict.fromkeys(name for name in value if isinstance(name, str))) or None


def _values(value: Any) -> Any:
    if not isinstance(value, list) or not value:
        return _BAD
    return list({wire.dumps(item): item for item in value}.values())


def _schemas(value: Any) -> Any:
    return value if isinstance(value, list) and value else _BAD


def _map(value: Any) -> Any:
    if value in ([], None):  # PHP's empty object
        return {}
    return value if isinstance(value, dict) else _BAD


def _schema(value: Any) -> Any:
    return value if isinstance(value, bool | dict | str) else _BAD


def _of(kind: type) -> Callable[[Any], Any]:
    return lambda value: value if isinstance(value, kind) else _BAD


_READERS: dict[str, Callable[[Any], Any]] = {
    "type": _type,
    "text": _of(str),
    "count": _count,
    "number": _number,
    "names": _names,
    "values": _values,
    "schemas": _schemas,
    "map": _map,
    "object": _of(dict),
    "schema": _schema,
    "flag": _of(bool),
    "any": lambda value: value,
}
