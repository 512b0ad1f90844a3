"""What JSON Schema itself says, by another implementation, and what each dialect's validator refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from claude_code_proxy.core.schemas.dialects import DIALECTS, OF_TYPE, TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator


_ONE = ("items", "not", "if", "then", "else", "contains", "propertyNames", "additionalProperties")


def is_valid(instance: Any, schema: Any) -> bool:
    """Whether `instance` matches `schema`, of which `nullable` is read as OpenAPI does."""
    return bool(Draft202012Validator(_without_nullable(schema)).is_valid(instance))


def _without_nullable(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_nullable(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    rest = {key: _without_nullable(value) for key, value in schema.items() if key != "nullable"}
    return {"anyOf": [rest, {"type": "null"}]} if schema.get("nullable") is True else rest


def inner(schema: dict[str, Any]) -> Iterator[Any]:
    """The schemas right inside of one."""
    for key, value in schema.items():
        if key in ("properties", "$defs", "patternProperties", "dependentSchemas"):
            yield from value.values()
        elif key in ("anyOf", "oneOf", "allOf", "prefixItems"):
            yield from value
        elif key in _ONE and not (key == "additionalProperties" and isinstance(value, bool)):
            yield value


def faults(schema: Any, dialect: str) -> list[str]:
    """What the validator of `dialect` refuses in the parameters of a tool: rules of its own, from its sources."""
    found = list(_faults(schema, dialect, schema))
    try:
        Draft202012Validator.check_schema(schema)
    except Exception as error:
        found.append(f"no JSON Schema: {error}")
    if schema.get("type") != "object" or not isinstance(schema.get("properties"), dict):
        found.append("no object at the top")
    return found + [
        f"{key} at the top" for key in ("anyOf", "oneOf", "allOf", "not", "enum") if key in schema
    ]


def _faults(schema: Any, dialect: str, root: dict[str, Any]) -> Iterator[str]:
    if not isinstance(schema, dict):
        yield f"no object: {schema!r}"
        return
    rules = DIALECTS[dialect]  # type: ignore[index]
    unknown = schema.keys() - rules.keywords - {"$defs"}
    if unknown:
        yield f"keywords {sorted(unknown)}"
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if not set(types) <= set(TYPES):
        yield f"types {types}"
    if "array" in types and not isinstance(schema.get("items"), dict):
        yield f"array without items: {schema}"
    if not set(schema.get("required", ())) <= schema.get("properties", {}).keys() and "object" in types:
        yield f"required without property: {schema}"
    if "enum" in schema and (not schema["enum"] or not types):
        yield f"enum: {schema}"
    if "$ref" in schema:
        if schema.keys() - {"$ref"}:
            yield f"beside $ref: {schema}"
        name = schema["$ref"].removeprefix("#/$defs/")
        if name not in root.get("$defs", {}):
            yield f"dangling {schema['$ref']}"
    if dialect in ("gemini", "kimi", "gbnf"):
        if not types and not schema.keys() & {"anyOf", "$ref"}:
            yield f"no type: {schema}"
        if "anyOf" in schema and schema.keys() & {
            "type",
            "enum",
            *(key for keys in OF_TYPE.values() for key in keys),
        }:
            yield f"beside anyOf: {schema}"
    if dialect in ("gemini", "kimi") and len(types) > 1:
        yield f"several types: {schema}"
    if dialect == "gemini":
        if "enum" in schema and (types != ["string"] or "" in schema["enum"]):
            yield f"enum that is no text: {schema}"
        if "anyOf" in schema and schema.keys() - {"anyOf", "nullable"}:
            yield f"beside anyOf: {schema}"
    if dialect == "kimi" and "enum" in schema and types[0] in ("boolean", "null", "object", "array"):
        yield f"enum of {types}"
    if (
        dialect == "xgrammar"
        and schema.keys() & {"pattern", "format"}
        and schema.keys() & {"minLength", "maxLength"}
    ):
        yield f"length and pattern: {schema}"
    for child in inner(schema):
        yield from _faults(child, dialect, root)


def weight(value: Any) -> int:
    """How many values a JSON value holds."""
    if isinstance(value, dict):
        return 1 + sum(map(weight, value.values()))
    return 1 + sum(map(weight, value)) if isinstance(value, list) else 1
