"""Whether a schema already is in the subset that OpenAI's `strict: true` demands."""

from __future__ import annotations

from typing import Any

from claude_code_proxy.core import wire

_KEYWORDS = frozenset(
    {
        "type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref",
        "$defs", "description", "title", "pattern", "format", "multipleOf", "maximum", "exclusiveMaximum",
        "minimum", "exclusiveMinimum", "minItems", "maxItems",
    }
)  # fmt: skip
_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
)  # fmt: skip
_BESIDE_REFERENCE = frozenset({"$ref", "$defs"})
_MOST_LEVELS = 10
_MOST_PROPERTIES = 5000
_MOST_VALUES = 1000
_MOST_CHARS = 120_000
_LARGE_ENUM, _MOST_ENUM_CHARS = 250, 15_000


def is_strict(schema: Any) -> bool:
    """Whether OpenAI takes `schema` with `strict: true`; keywords and limits of its guide.

    Every object names all its properties as required and allows no other, every schema has a type, a
    reference or choices, the top is an object and no choice. At most 10 levels of objects and lists, 5000
    properties, 1000 values in `enum`s, 120,000 characters of names and values.
    """
    if not isinstance(schema, dict) or schema.get("type") != "object" or "anyOf" in schema:
        return False
    check = _Check()
    return check.passes(schema, 1) and check.small


class _Check:
    def __init__(self) -> None:
        self._properties = self._values = self._chars = 0

    @property
    def small(self) -> bool:
        return (
            self._properties <= _MOST_PROPERTIES
            and self._values <= _MOST_VALUES
            and self._chars <= _MOST_CHARS
        )

    def passes(self, schema: Any, level: int) -> bool:
        """Whether `schema`, inside `level` objects and lists, follows the rules; counts what has a limit."""
        if not isinstance(schema, dict) or level > _MOST_LEVELS or not schema.keys() <= _KEYWORDS:
            return False
        if not schema.keys() & {"type", "anyOf", "$ref"} or not self._count(schema):
            return False
        if "$ref" in schema and not schema.keys() <= _BESIDE_REFERENCE:
            return False
        if schema.get("format", "date") not in _FORMATS or (
            "array" in _types(schema) and "items" not in schema
        ):
            return False
        definitions = schema.get("$defs", {})
        choices = schema.get("anyOf", [])
        properties = self._properties_of(schema)
        if not isinstance(definitions, dict) or not isinstance(choices, list) or properties is None:
            return False
        self._chars += sum(map(len, definitions))
        inner = [*properties.values(), *([schema["items"]] if "items" in schema else [])]
        return (
            all(self.passes(child, level + 1) for child in inner)
            and all(self.passes(choice, level) for choice in choices)
            and all(self.passes(definition, level) for definition in definitions.values())
        )

    def _properties_of(self, schema: dict[str, Any]) -> dict[str, Any] | None:
        """The properties, or None where an object is not closed or does not require them all."""
        if "object" not in _types(schema) and "properties" not in schema:
            return {}
        properties, required = schema.get("properties"), schema.get("required")
        if not isinstance(properties, dict) or schema.get("additionalProperties") is not False:
            return None
        if not isinstance(required, list) or sorted(map(str, required)) != sorted(properties):
            return None
        self._properties += len(properties)
        self._chars += sum(map(len, properties))
        return properties

    def _count(self, schema: dict[str, Any]) -> bool:
        values = schema.get("enum", [schema["const"]] if "const" in schema else [])
        if not isinstance(values, list) or ("enum" in schema and not values):
            return False
        chars = sum(len(value) if isinstance(value, str) else len(wire.dumps(value)) for value in values)
        self._values += len(values)
        self._chars += chars
        return len(values) <= _LARGE_ENUM or chars <= _MOST_ENUM_CHARS


def _types(schema: dict[str, Any]) -> list[Any]:
    kind = schema.get("type")
    return kind if isinstance(kind, list) else [kind]
