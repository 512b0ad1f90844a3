"""JSON Schemas of tools, brought to what a provider's dialect takes.

`plain` changes only the top level, which every provider wants to be an object with properties; `gemini`
rewrites the whole schema to the subset of the Gemini API. Constraints that cannot be kept are returned
as text for the tool's description.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from claude_code_proxy.core.request.fields import json_text

if TYPE_CHECKING:
    from claude_code_proxy.core.report import Report

_COMBINATORS = ("oneOf", "anyOf", "allOf")
_REFUSED_AT_TOP = ("oneOf", "anyOf", "enum", "not")
_IDENTITY = ("$schema", "$id")
_NEEDS_WORK = frozenset({*_REFUSED_AT_TOP, "allOf", "$ref"})
_STRICT_KEYWORDS = frozenset(
    {
        "type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref",
        "$defs", "description", "title", "pattern", "format", "multipleOf", "maximum", "exclusiveMaximum",
        "minimum", "exclusiveMinimum", "minItems", "maxItems",
    }
)  # fmt: skip
"""Keywords of OpenAI's structured outputs guide."""
_DEEPEST = 60
_MOST_NODES = 20_000


def clean_parameters(schema: Any, dialect: str, path: str, report: Report) -> tuple[dict[str, Any], str]:
    """The parameters of a tool and a text for its description ("" where all constraints were kept).

    The client's object is not touched.
    """
    if not isinstance(schema, dict) or not schema:
        return {"type": "object", "properties": {}}, ""
    if dialect == "gemini":
        schema = _Gemini(schema, path, report).schema()
    cleaned, note = _object_at_top(schema, path, report)
    return cleaned, note


def is_strict(schema: Any) -> bool:
    """Whether `schema` already is in the subset that OpenAI's `strict: true` demands."""
    return isinstance(schema, dict) and schema.get("type") == "object" and _is_strict(schema, 0)


def _object_at_top(schema: dict[str, Any], path: str, report: Report) -> tuple[dict[str, Any], str]:
    usual = schema.get("type") == "object" and isinstance(schema.get("properties"), dict)
    if usual and not schema.keys() & _NEEDS_WORK and isinstance(schema.get("required", []), list):
        # The usual case: only what identifies the schema has to go.
        return {key: value for key, value in schema.items() if key not in _IDENTITY}, ""
    schema = _with_local_reference(schema)
    cleaned: dict[str, Any] = {"type": "object", "properties": {}}
    cleaned.update(schema)
    for keyword in _IDENTITY:
        cleaned.pop(keyword, None)
    cleaned["type"] = "object"
    if not isinstance(cleaned["properties"], dict):
        cleaned["properties"] = {}
    # Gemini's validator and others accept `required` as an array only.
    if not isinstance(cleaned.get("required", []), list):
        del cleaned["required"]
    if not any(keyword in schema for keyword in (*_REFUSED_AT_TOP, "allOf")):
        return cleaned, ""
    lost = {keyword: cleaned.pop(keyword) for keyword in _REFUSED_AT_TOP if keyword in cleaned}
    _merge_branches(cleaned, {**lost, "allOf": cleaned.pop("allOf", None)})
    report.changed("schema_flattened", path, "providers refuse combined schemas at the top level")
    if not lost:
        return cleaned, ""
    return cleaned, f"The input must also match this JSON Schema: {json_text(lost, path)}"


def _merge_branches(cleaned: dict[str, Any], combined: dict[str, Any]) -> None:
    """Put the properties of all branches into `cleaned`; required is what every choice requires."""
    properties = dict(cleaned["properties"])
    required = dict.fromkeys(_names(cleaned.get("required")))
    for keyword in _COMBINATORS:
        branches = (
            [branch for branch in combined.get(keyword) or [] if isinstance(branch, dict)]
            if isinstance(combined.get(keyword), list)
            else []
        )
        for branch in branches:
            found = branch.get("properties")
            for name, value in found.items() if isinstance(found, dict) else ():
                properties.setdefault(name, value)
        lists = [_names(branch.get("required")) for branch in branches]
        if keyword == "allOf":
            common = [name for names in lists for name in names]
        else:
            common = [name for name in lists[0] if all(name in names for names in lists)] if lists else []
        required.update(dict.fromkeys(common))
    cleaned["properties"] = properties
    if required:
        cleaned["required"] = list(required)


def _names(value: Any) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []


def _with_local_reference(schema: dict[str, Any]) -> dict[str, Any]:
    """`schema` with the target of a local `$ref` at its top level put in its place."""
    target = _local_target(schema, schema.get("$ref"))
    if target is None:
        return schema
    merged = {**target, **schema}
    del merged["$ref"]
    return merged


def _local_target(root: dict[str, Any], reference: Any) -> dict[str, Any] | None:
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return None
    target: Any = root
    for step in reference[2:].split("/"):
        if not isinstance(target, dict):
            return None
        target = target.get(step.replace("~1", "/").replace("~0", "~"))
    return target if isinstance(target, dict) else None


def _is_strict(schema: Any, depth: int) -> bool:
    if not isinstance(schema, dict) or depth > _DEEPEST or not schema.keys() <= _STRICT_KEYWORDS:
        return False
    children: list[Any] = []
    properties = schema.get("properties")
    if schema.get("type") == "object" or properties is not None:
        if not isinstance(properties, dict) or schema.get("additionalProperties") is not False:
            return False
        if set(_names(schema.get("required"))) != set(properties):
            return False
        children += properties.values()
    definitions = schema.get("$defs")
    children += definitions.values() if isinstance(definitions, dict) else []
    choices = schema.get("anyOf")
    children += choices if isinstance(choices, list) else []
    if "items" in schema:
        children.append(schema["items"])
    return all(_is_strict(child, depth + 1) for child in children)


class _Gemini:
    """Rewrites one schema to the subset of the OpenAPI schema that Gemini's function declarations take."""

    _DROPPED = frozenset(
        {
            "$ref", "$defs", "definitions", "$schema", "$id", "$comment", "$anchor", "additionalProperties",
            "unevaluatedProperties", "patternProperties", "propertyNames", "exclusiveMinimum",
            "exclusiveMaximum", "multipleOf", "uniqueItems", "if", "then", "else", "not", "contains",
            "dependentRequired", "dependentSchemas", "contentEncoding", "contentMediaType", "prefixItems",
            "examples", "readOnly", "writeOnly", "deprecated",
        }
    )  # fmt: skip
    _FORMATS = frozenset({"enum", "date-time"})

    def __init__(self, root: dict[str, Any], path: str, report: Report) -> None:
        self._root = root
        self._path = path
        self._report = report
        self._nodes = 0
        self._lost: set[str] = set()

    def schema(self) -> dict[str, Any]:
        result = self._node(self._root, (), 0)
        if self._lost:
            keywords = ", ".join(sorted(self._lost))
            self._report.dropped("schema_keywords", self._path, f"not in the provider's dialect: {keywords}")
        return result

    def _node(self, node: Any, references: tuple[str, ...], depth: int) -> dict[str, Any]:
        self._nodes += 1
        if not isinstance(node, dict):
            return {}
        # A schema that refers to itself, or doubles with each reference, has no finite form.
        if depth > _DEEPEST or self._nodes > _MOST_NODES:
            self._lost.add("nesting")
            return {}
        reference = node.get("$ref")
        if isinstance(reference, str):
            target = None if reference in references else _local_target(self._root, reference)
            if target is None:
                self._lost.add("$ref")
            else:
                node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
                references = (*references, reference)
                if "$ref" in node or "$ref" in target:
                    return self._node({**node, "$ref": target.get("$ref")}, references, depth + 1)
        return self._keywords(node, references, depth + 1)

    def _keywords(self, node: dict[str, Any], references: tuple[str, ...], depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in node.items():
            match key:
                case "properties" if isinstance(value, dict):
                    result[key] = {
                        name: self._node(child, references, depth) for name, child in value.items()
                    }
                case "items":
                    result[key] = self._node(value, references, depth)
                case "anyOf" | "oneOf" | "allOf" if isinstance(value, list):
                    branches = [self._node(child, references, depth) for child in value]
                    result["allOf" if key == "allOf" else "anyOf"] = branches
                case "const":
                    result["enum"] = [value]
                case "format" if value not in self._FORMATS:
                    self._lost.add(key)
                case "type" if isinstance(value, list):
                    result.update(self._nullable(value))
                case _ if key in self._DROPPED:
                    if key not in ("$schema", "$id", "$defs", "definitions", "$ref"):
                        self._lost.add(key)
                case _:
                    result[key] = value
        return result

    @staticmethod
    def _nullable(types: list[Any]) -> dict[str, Any]:
        named = [name for name in types if name != "null"]
        nullable: dict[str, Any] = {"nullable": True} if len(named) < len(types) else {}
        if len(named) == 1:
            return {"type": named[0], **nullable}
        return {"anyOf": [{"type": name} for name in named], **nullable} if named else nullable
