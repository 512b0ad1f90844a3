"""What each provider takes of JSON Schema: one allow-list per dialect, and the kinds of all keywords.

Sources: OpenAI's guide to structured outputs and its error texts; Google's reference of `Schema` (v1beta);
Moonshot's validator (MoonshotAI/walle, docs/mfjs-spec.md and its rules); xAI's page on structured outputs;
llama.cpp's json-schema-to-grammar.cpp; vLLM's backend_xgrammar.py. State: November 2026.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from claude_code_proxy.core.providers.profile import SchemaDialect

TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")

KINDS: Mapping[str, str] = {
    "type": "type",
    **dict.fromkeys(("title", "description", "format", "pattern", "contentEncoding"), "text"),
    **dict.fromkeys(("contentMediaType", "$comment", "$ref"), "text"),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties"), "count"),
    **dict.fromkeys(("maxProperties", "minContains", "maxContains"), "count"),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), "number"),
    "multipleOf": "number",
    **dict.fromkeys(("properties", "patternProperties", "dependentSchemas"), "map"),
    **dict.fromkeys(("items", "additionalProperties", "unevaluatedProperties"), "schema"),
    **dict.fromkeys(("unevaluatedItems", "propertyNames", "contains", "not", "if", "then"), "schema"),
    "else": "schema",
    **dict.fromkeys(("prefixItems", "anyOf", "oneOf", "allOf"), "schemas"),
    "required": "names",
    "enum": "values",
    "dependentRequired": "object",
    **dict.fromkeys(("uniqueItems", "nullable", "deprecated", "readOnly", "writeOnly"), "flag"),
    **dict.fromkeys(("const", "default", "example", "examples"), "any"),
}
"""Every keyword of JSON Schema 2020-12 and OpenAPI that any provider takes, and what its value must be.

Those of older drafts are rewritten before; what is not here has no meaning and is left out.
"""

ANNOTATIONS = frozenset(
    {
        "title", "description", "default", "example", "examples", "deprecated", "readOnly", "writeOnly",
        "nullable", "$comment", "contentEncoding", "contentMediaType",
    }
)  # fmt: skip
"""Keywords that refuse no value: losing one changes no meaning."""

OF_TYPE: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "string": frozenset({"minLength", "maxLength", "pattern", "format"}),
        "number": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}),
        "object": frozenset(
            {
                "properties", "required", "additionalProperties", "patternProperties", "propertyNames",
                "minProperties", "maxProperties", "dependentRequired", "dependentSchemas",
                "unevaluatedProperties",
            }
        ),
        "array": frozenset(
            {
                "items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains", "minContains",
                "maxContains", "unevaluatedItems",
            }
        ),
    }
)  # fmt: skip
"""Keywords that say something about values of one type only (`number` includes integers)."""


class Dialect(NamedTuple):
    """What one validator takes. The defaults are those of a validator that knows all of JSON Schema."""

    keywords: frozenset[str] = frozenset(KINDS) - {"nullable", "example"}
    """The keywords it takes."""
    formats: frozenset[str] | None = None
    """The values of `format` that it takes; None: any."""
    refused_patterns: re.Pattern[str] = re.compile(r"\\[pPk]|\\u\{|\(\?<[A-Za-z]")
    """What may not stand in a `pattern`."""
    enums: frozenset[str] | None = None
    """Types of values that `enum` takes, which must have that `type`; None: any."""
    empty_values: bool = True
    """Whether `enum` takes the empty text."""
    any_value: Mapping[str, Any] = MappingProxyType({})
    """How a schema that allows every value is written, where it must name its type."""
    type_lists: bool = True
    """Whether `type` may be a list."""
    lone_any_of: bool = False
    """Whether no constraint may stand beside `anyOf`."""
    bare_any_of: bool = False
    """Whether not even a description may."""
    closed_objects: bool = False
    """Whether an object allows no other properties unless it says so."""
    whole_bounds: bool = False
    """Whether bounds must be whole numbers from 0 on."""
    lengths_alone: bool = False
    """Whether `minLength` and `maxLength` may not stand beside `pattern` or `format`."""
    most_repeats: int | None = None
    """The largest `minItems` and `maxItems`."""
    object_answers: bool = False
    """Whether the schema of an answer must be a plain object, as that of a tool must everywhere."""

    @property
    def typed(self) -> bool:
        """Whether every schema must name its type."""
        return bool(self.any_value)


_COMMON = frozenset({"type", "properties", "required", "items", "enum", "anyOf", "description", "default"})
_REFERENCES = frozenset({"$ref"})
_BOUNDS = frozenset({"minimum", "maximum", "minItems", "maxItems"})
_LENGTHS = frozenset({"minLength", "maxLength"})
_NOT_REGULAR = re.compile(r"\\[pPkbB1-9]|\\u\{|\(\?[=!<>]")
"""No automaton can follow these: look-around, word boundaries, references to groups."""
_ANY = {
    "anyOf": [
        {"type": "string"},
        {"type": "number"},
        {"type": "boolean"},
        {"type": "object"},
        {"type": "array", "items": {"type": "string"}},
        {"type": "null"},
    ]
}
"""Every value but lists of what is no text: some depth must be the last."""
_FORMATS = frozenset(
    {
        "date", "time", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri",
    }
)  # fmt: skip

DIALECTS: Mapping[SchemaDialect, Dialect] = MappingProxyType(
    {
        "plain": Dialect(),
        "openai_strict": Dialect(object_answers=True),
        "gemini": Dialect(
            keywords=_COMMON
            | _BOUNDS
            | _LENGTHS
            | {"format", "title", "nullable", "pattern", "minProperties", "maxProperties"},
            formats=frozenset({"enum", "date-time"}),
            refused_patterns=_NOT_REGULAR,
            enums=frozenset({"string"}),
            empty_values=False,
            any_value=_ANY,
            type_lists=False,
            lone_any_of=True,
            bare_any_of=True,
        ),
        "kimi": Dialect(
            keywords=_COMMON | _REFERENCES | _BOUNDS | _LENGTHS | {"additionalProperties", "pattern"},
            refused_patterns=_NOT_REGULAR,
            enums=frozenset({"string", "number", "integer"}),
            any_value=_ANY,
            type_lists=False,
            lone_any_of=True,
            whole_bounds=True,
        ),
        "xai": Dialect(
            keywords=_COMMON
            | {"additionalProperties", "const", "title", "format", "pattern", "multipleOf"}
            | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"},
            formats=_FORMATS,
            refused_patterns=_NOT_REGULAR,
            closed_objects=True,
        ),
        "gbnf": Dialect(
            keywords=_COMMON
            | _REFERENCES
            | _BOUNDS
            | {"additionalProperties", "const", "title", "format", "exclusiveMinimum", "exclusiveMaximum"},
            any_value=_ANY,
            lone_any_of=True,
            most_repeats=1000,
        ),
        "xgrammar": Dialect(
            keywords=_COMMON
            | _REFERENCES
            | _BOUNDS
            | _LENGTHS
            | {"additionalProperties", "const", "title", "format", "pattern", "prefixItems"}
            | {"exclusiveMinimum", "exclusiveMaximum"},
            lengths_alone=True,
            formats=_FORMATS | {"uri-reference", "uri-template", "json-pointer", "relative-json-pointer"},
            refused_patterns=_NOT_REGULAR,
        ),
    }
)
"""By the names that `Profile.schema_dialect` takes."""

SMALLEST: SchemaDialect = "kimi"
"""The dialect with the fewest keywords of JSON Schema proper: what an unknown validator takes if any."""
