"""What OpenAI takes with `strict: true`: rules and limits of its guide to structured outputs."""

from __future__ import annotations

from typing import Any

import pytest

from claude_code_proxy.core.schemas.strict import is_strict

A: dict[str, Any] = {"a": {"type": "string"}}
EMPTY: dict[str, Any] = {"type": "object", "properties": {}}


def closed(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        **more,
    }


def nested(levels: int) -> dict[str, Any]:
    schema = closed(A)
    for _ in range(levels - 2):
        schema = closed({"a": schema})
    return schema


STRICT = closed(A)


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (STRICT, True),
        (closed({}), True),
        (closed({"a": STRICT}), True),
        (closed({"a": {"type": "array", "items": STRICT}}), True),
        (closed({"a": {"type": ["array", "null"], "items": STRICT}}), True),
        (closed({"a": {"anyOf": [STRICT, {"type": "null"}]}}, **{"$defs": {"X": STRICT}}), True),
        (closed({"a": {"$ref": "#/$defs/X"}}, **{"$defs": {"X": STRICT}}), True),
        (closed({"a": {"type": "string", "format": "uuid", "pattern": "x", "description": "d"}}), True),
        (closed({"a": {"type": "string", "enum": ["x"]}, "b": {"type": "integer", "const": 1}}), True),
        (closed({"a": {"type": "array", "items": EMPTY}}), False),
        (closed({"a": {"type": "array"}}), False),
        (closed({"a": {"type": "object"}}), False),
        (closed({"a": {"anyOf": [EMPTY]}}), False),
        (closed({"a": {"anyOf": {}}}), False),
        (closed({"a": {"$ref": "#/$defs/X", "description": "d"}}), False),
        (closed({"a": {"description": "typeless"}}), False),
        (closed({"a": {}}), False),
        (closed({"a": True}), False),
        (closed({"a": {"type": "string", "format": "uri"}}), False),
        (closed({"a": {"type": "string", "minLength": 1}}), False),
        (closed({"a": {"type": "string", "default": "x"}}), False),
        (closed({"a": {"type": "string", "enum": []}}), False),
        (closed({"a": {"type": "string", "enum": "x"}}), False),
        ({**STRICT, "$defs": {"X": EMPTY}}, False),
        ({**STRICT, "$defs": []}, False),
        ({**STRICT, "additionalProperties": True}, False),
        ({**STRICT, "required": []}, False),
        ({**STRICT, "required": ["a", "a"]}, False),
        ({**STRICT, "required": None}, False),
        ({**STRICT, "properties": []}, False),
        ({**STRICT, "patternProperties": {}}, False),
        ({**STRICT, "anyOf": [STRICT]}, False),
        ({"anyOf": [STRICT]}, False),
        ({"type": "string"}, False),
        ({"type": ["object", "null"]}, False),
        (None, False),
        (nested(10), True),
        (nested(11), False),
        (closed({f"p{n}": {"type": "string"} for n in range(5000)}), True),
        (closed({f"p{n}": {"type": "string"} for n in range(5001)}), False),
        (closed({"a": {"type": "integer", "enum": list(range(1000))}}), True),
        (closed({"a": {"type": "integer", "enum": list(range(1001))}}), False),
        (closed({f"p{n}": {"type": "integer", "enum": list(range(100))} for n in range(11)}), False),
        (closed({"a": {"type": "string", "enum": [f"{n:060}" for n in range(251)]}}), False),
        (closed({"a": {"type": "string", "enum": [f"{n:061}" for n in range(250)]}}), True),
        (closed({f"{n:0100}": {"type": "string"} for n in range(1201)}), False),
    ],
)
def test_is_strict(schema: Any, strict: bool) -> None:
    assert is_strict(schema) is strict
