"""Tool schemas: what each dialect keeps, rewrites and loses."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from claude_code_proxy.core.report import Report
from claude_code_proxy.core.request.tool_schema import clean_parameters, is_strict

EMPTY = {"type": "object", "properties": {}}
A = {"a": {"type": "string"}}
B = {"b": {"type": "integer"}}

PLAIN: list[tuple[str, Any, dict[str, Any]]] = [
    ("none", None, EMPTY),
    ("a list", [], EMPTY),
    ("empty", {}, EMPTY),
    ("identity", {"$schema": "x", "$id": "y", **EMPTY}, EMPTY),
    ("type array", {"type": ["object", "null"], "properties": A}, {"type": "object", "properties": A}),
    ("bad properties", {"type": "object", "properties": []}, EMPTY),
    ("bad required", {"type": "object", "properties": A, "required": True}, {**EMPTY, "properties": A}),
    ("all of", {"allOf": [{"properties": A, "required": ["a"]}, {"properties": B, "required": ["b", 3]}, 7]},
     {"type": "object", "properties": {**A, **B}, "required": ["a", "b"]}),
    ("bad all of", {"allOf": 7}, EMPTY),
    ("top reference", {"$ref": "#/$defs/X", "$defs": {"X": {"type": "object", "properties": A}}},
     {"type": "object", "properties": A, "$defs": {"X": {"type": "object", "properties": A}}}),
    ("dangling reference", {"$ref": "#/$defs/X"}, {**EMPTY, "$ref": "#/$defs/X"}),
    ("reference through text", {"$ref": "#/title/X", "title": "t"}, {**EMPTY, "$ref": "#/title/X", "title": "t"}),
    ("nested is left alone", {**EMPTY, "properties": {"x": {"oneOf": [{"const": 1}], "$ref": "#/q"}}},
     {**EMPTY, "properties": {"x": {"oneOf": [{"const": 1}], "$ref": "#/q"}}}),
]  # fmt: skip

GEMINI: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("keywords", {"type": "integer", "exclusiveMinimum": 0, "propertyNames": {}}, {"type": "integer"}),
    ("const", {"const": 3}, {"enum": [3]}),
    ("format", {"type": "string", "format": "uri"}, {"type": "string"}),
    ("known format", {"type": "string", "format": "date-time"}, {"type": "string", "format": "date-time"}),
    ("nullable", {"type": ["string", "null"]}, {"type": "string", "nullable": True}),
    ("only null", {"type": ["null"]}, {"nullable": True}),
    ("two types", {"type": ["string", "integer"]}, {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
    ("one of", {"oneOf": [A["a"], 7]}, {"anyOf": [{"type": "string"}, {}]}),
    ("items", {"type": "array", "items": {"const": 1}}, {"type": "array", "items": {"enum": [1]}}),
    ("properties named like keywords", {"properties": {"format": A["a"], "const": A["a"]}},
     {"properties": {"format": A["a"], "const": A["a"]}}),
    ("reference", {"$ref": "#/$defs/X"}, {"type": "string", "description": "an X"}),
    ("reference with siblings", {"$ref": "#/$defs/X", "description": "mine"},
     {"type": "string", "description": "mine"}),
    ("reference to a reference", {"$ref": "#/$defs/Y"}, {"type": "string", "description": "an X"}),
    ("dangling", {"$ref": "#/$defs/None", "title": "t"}, {"title": "t"}),
]  # fmt: skip
DEFS = {
    "X": {"type": "string", "description": "an X"},
    "Y": {"$ref": "#/$defs/X"},
    "Tree": {"type": "object", "properties": {"left": {"$ref": "#/$defs/Tree"}, "size": {"const": 1}}},
    "D0": {"type": "string"},
    **{
        f"D{n}": {"type": "object", "properties": {"l": {"$ref": f"#/$defs/D{n - 1}"}, "r": {"$ref": f"#/$defs/D{n - 1}"}}}
        for n in range(1, 30)
    },
}  # fmt: skip


@pytest.mark.parametrize(("schema", "expected"), [row[1:] for row in PLAIN], ids=[row[0] for row in PLAIN])
def test_plain(schema: Any, expected: dict[str, Any]) -> None:
    before = copy.deepcopy(schema)
    assert clean_parameters(schema, "plain", "tools.0.input_schema", Report()) == (expected, "")
    assert schema == before


def test_choices_at_the_top_become_text() -> None:
    schema = {
        "anyOf": [{"properties": A, "required": ["a", "x"]}, {"properties": B, "required": ["x"]}],
        "not": {"required": ["z"]},
        "required": ["k"],
    }
    report = Report()
    parameters, note = clean_parameters(schema, "plain", "p", report)
    assert parameters == {"type": "object", "properties": {**A, **B}, "required": ["k", "x"]}
    assert '"anyOf":[' in note
    assert '"not":{"required":["z"]}' in note
    assert report.codes == ["schema_flattened"]


def test_top_choice_without_branches() -> None:
    parameters, note = clean_parameters({"anyOf": []}, "plain", "p", Report())
    assert parameters == EMPTY
    assert note


@pytest.mark.parametrize(("schema", "expected"), [row[1:] for row in GEMINI], ids=[row[0] for row in GEMINI])
def test_gemini(schema: dict[str, Any], expected: dict[str, Any]) -> None:
    whole = {"type": "object", "properties": {"p": schema}, "$defs": DEFS}
    parameters, _ = clean_parameters(whole, "gemini", "p", Report())
    assert parameters == {"type": "object", "properties": {"p": expected}}


@pytest.mark.parametrize("name", ["Tree", "D29"])
def test_gemini_ends_with_schemas_that_have_no_end(name: str) -> None:
    whole = {"type": "object", "properties": {"p": {"$ref": f"#/$defs/{name}"}}, "$defs": DEFS}
    report = Report()
    parameters, _ = clean_parameters(whole, "gemini", "p", report)
    assert "$ref" not in str(parameters)
    assert report.codes == ["schema_keywords"]


def test_gemini_deep() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(100):
        schema = {"type": "array", "items": schema}
    report = Report()
    clean_parameters({"type": "object", "properties": {"p": schema}}, "gemini", "p", report)
    assert report.codes == ["schema_keywords"]


STRICT = {"type": "object", "properties": A, "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (STRICT, True),
        ({**STRICT, "properties": {"a": STRICT}}, True),
        ({**STRICT, "properties": {"a": {"type": "array", "items": STRICT}}}, True),
        ({**STRICT, "properties": {"a": {"anyOf": [STRICT]}}, "$defs": {"X": STRICT}}, True),
        ({**STRICT, "properties": {"a": {"type": "array", "items": EMPTY}}}, False),
        ({**STRICT, "properties": {"a": {"anyOf": [EMPTY]}}}, False),
        ({**STRICT, "$defs": {"X": EMPTY}}, False),
        ({**STRICT, "additionalProperties": True}, False),
        ({**STRICT, "required": []}, False),
        ({**STRICT, "properties": []}, False),
        ({**STRICT, "patternProperties": {}}, False),
        ({"type": "string"}, False),
        ({**STRICT, "properties": {"a": True}}, False),
        (None, False),
    ],
)
def test_is_strict(schema: Any, strict: bool) -> None:
    assert is_strict(schema) is strict
