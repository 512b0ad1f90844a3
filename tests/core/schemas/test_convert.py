"""Every case of tests/cases/schemas: what each dialect makes of a schema, and what it says about that."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.core import wire
from claude_code_proxy.core.convert_request import convert_request
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Report
from claude_code_proxy.core.schemas.convert import answer_schema, tool_parameters
from claude_code_proxy.core.schemas.dialects import DIALECTS, KINDS
from tests.core.cases import CASES, load
from tests.core.openai import sdk_types
from tests.core.schemas import oracle

if TYPE_CHECKING:
    from collections.abc import Callable

TABLE = load(CASES / "schemas" / "dialects.json")
TOOLS = load(CASES / "schemas" / "mcp_tools.json")["tools"]


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=f"{case['name']}: {case['dialect']}") for case in TABLE]
)
def test_case(case: dict[str, Any]) -> None:
    schema, dialect = copy.deepcopy(case["schema"]), case["dialect"]
    report = Report()
    if case["kind"] == "answer":
        assert answer_schema(schema, dialect, "p", report) == case["expected"]
    else:
        converted, words = tool_parameters(schema, dialect, "p", report)
        assert converted == case["expected"]
        assert words == case.get("words", "")
        assert oracle.faults(converted, dialect) == []
    assert schema == case["schema"]
    assert [notice.code for notice in report.notices] == [said.partition(":")[0] for said in case["notices"]]
    for notice, said in zip(report.notices, case["notices"], strict=True):
        assert notice.reason.endswith(said.partition(": ")[2])


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("tool", [pytest.param(tool, id=tool["name"]) for tool in TOOLS])
def test_a_tool_of_a_server(tool: dict[str, Any], dialect: Any) -> None:
    converted, _ = tool_parameters(tool.get("input_schema"), dialect, "p", Report())
    assert oracle.faults(converted, dialect) == []


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_all_tools_in_one_request(dialect: Any, api: Any) -> None:
    request = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "tools": TOOLS}
    profile = Profile(schema_dialect=dialect, api=api)
    converted = convert_request(request, profile=profile, model="m", message_id="msg_1")
    if api == "chat":
        sdk_types.validate(converted.body)
    for tool in converted.body["tools"]:
        assert oracle.faults(tool.get("function", tool)["parameters"], dialect) == []
    assert {notice.code for notice in converted.report.notices} >= {"schema_flattened", "schema_malformed"}


def test_nothing_is_changed_that_need_not_be() -> None:
    schema = {
        "type": "object",
        "description": "d",
        "properties": {
            "file_path": {"description": "x", "type": "string"},
            "edits": {"type": "array", "items": {"$ref": "#/$defs/Edit"}, "minItems": 1},
            "mode": {"type": "string", "enum": ["a", "b"], "default": "a"},
            "env": {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "propertyNames": {"type": "string"},
            },
        },
        "required": ["file_path"],
        "additionalProperties": False,
        "$defs": {"Edit": {"type": "object", "properties": {"old": {"type": ["string", "null"]}}}},
    }
    report = Report()
    converted, words = tool_parameters(schema, "plain", "p", report)
    assert json.dumps(converted) == json.dumps(schema)
    assert (words, report.notices) == ("", [])


DOUBLING = {
    "D0": {"type": "string"},
    **{
        f"D{n}": {
            "type": "object",
            "properties": {
                "l": {"$ref": f"#/$defs/D{n - 1}"},
                "r": {"$ref": f"#/$defs/D{n - 1}", "description": "x"},
            },
        }
        for n in range(1, 40)
    },
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"p": {"$ref": "#/$defs/D39"}}, "$defs": DOUBLING},
        {
            "type": "object",
            "properties": {f"p{n}": {"$ref": "#/$defs/Large"} for n in range(300)},
            "$defs": {"Large": {"type": "string", "enum": [f"value {n}" for n in range(300)]}},
        },
        {
            "type": "object",
            "properties": {f"p{n}": {"$ref": "#/$defs/Large"} for n in range(300)},
            "$defs": {"Large": {"type": "object", "required": [f"value {n}" for n in range(300)]}},
        },
        {
            "anyOf": [{"$ref": f"#/$defs/{n}"} for n in range(50)],
            "$defs": {
                str(n): {"anyOf": [{"$ref": f"#/$defs/{(n + m) % 50}"} for m in range(8)]} for n in range(50)
            },
        },
    ],
    ids=["doubling", "values", "names", "graph"],
)
def test_growth_has_a_bound(schema: dict[str, Any], dialect: Any) -> None:
    for made in (
        tool_parameters(schema, dialect, "p", Report())[0],
        answer_schema(schema, dialect, "p", Report()),
    ):
        assert oracle.weight(made) < 2000 + 8 * oracle.weight(schema)


def test_what_fits_with_references_only_keeps_them_all() -> None:
    schema = {
        "type": "object",
        "properties": {f"p{n}": {"$ref": "#/$defs/Large", "minLength": 1} for n in range(40)},
        "$defs": {"Large": {"type": "string", "enum": [f"value {n}" for n in range(300)]}},
    }
    converted, _ = tool_parameters(schema, "plain", "p", Report())
    assert list(converted["properties"].values()) == [{"$ref": "#/$defs/Large"}] * 40


@pytest.mark.parametrize("dialect", DIALECTS)
def test_long_texts_count_where_something_grows(dialect: Any) -> None:
    schema = {
        "type": "object",
        "properties": {f"p{n}": {"$ref": "#/$defs/Long"} for n in range(100)},
        "$defs": {"Long": {"type": "string", "description": "a" * 100_000}},
    }
    converted, _ = tool_parameters(schema, dialect, "p", Report())
    assert len(json.dumps(converted)) < 500_000


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_does_not_grow_stays_whole(dialect: Any) -> None:
    properties = {
        "closed": {"type": "string", "enum": [f"v{n}" for n in range(9000)]},
        **{f"p{n}": {"type": "boolean"} for n in range(2000)},
    }
    schema = {"type": "object", "properties": properties}
    report = Report()
    assert tool_parameters(schema, dialect, "p", report) == (schema, "")
    assert report.notices == []


_AROUND: dict[str, Callable[[Any], dict[str, Any]]] = {
    "properties": lambda schema: {"type": "object", "properties": {"p": schema}},
    "additionalProperties": lambda schema: {"type": "object", "additionalProperties": schema},
    "items": lambda schema: {"type": "array", "items": schema},
    "anyOf": lambda schema: {"anyOf": [schema, {"type": "null"}]},
}


@pytest.mark.parametrize("dialect", ["plain", "kimi", "xai"])
@pytest.mark.parametrize("keyword", _AROUND)
@pytest.mark.parametrize(("levels", "lost"), [(60, []), (61, ["nesting"])])
def test_the_deepest_level(keyword: str, dialect: Any, levels: int, lost: list[str]) -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels - 1):
        schema = _AROUND[keyword](schema)
    report = Report()
    tool_parameters({"type": "object", "properties": {"p": schema}}, dialect, "p", report)
    said = [notice.reason for notice in report.notices if notice.code == "schema_keywords"]
    assert [reason.rpartition(" ")[2] for reason in said] == lost


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("keyword", ["items", "anyOf", "allOf", "not"])
def test_depth_has_a_bound(dialect: Any, keyword: str) -> None:
    schema: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
    for _ in range(110):
        schema = {keyword: [schema] if keyword in ("anyOf", "allOf") else schema}
    whole = {"type": "object", "properties": {"p": schema}, keyword: [schema]}
    converted, _ = tool_parameters(whole, dialect, "p", Report())
    assert oracle.faults(converted, dialect) == []


def test_many_parts_take_no_longer_than_they_must() -> None:
    parts = [{"properties": {f"p{n}": {"type": "string"}, "same": {"minLength": n}}} for n in range(3000)]
    converted, _ = tool_parameters({"allOf": parts}, "plain", "p", Report())
    assert len(converted["properties"]) == 3001


def test_every_keyword_has_a_kind() -> None:
    for dialect in DIALECTS.values():
        assert dialect.keywords <= KINDS.keys()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_numbers_keep_their_digits(dialect: Any) -> None:
    numbers = '"minimum":-1e400,"maximum":123456789012345678901234567890,"exclusiveMaximum":1e401'
    schema = wire.loads('{"type":"object","properties":{"p":{"type":"integer",' + numbers + "}}}")
    converted, _ = tool_parameters(schema, dialect, "p", Report())
    text = wire.dumps_text(converted)
    assert "-1e400" in text
    assert "123456789012345678901234567890" in text
    assert "1e401" in text


def test_what_is_no_number_is_no_bound() -> None:
    report = Report()
    schema = {"type": "object", "properties": {"p": {"type": "number", "minimum": float("nan")}}}
    converted, _ = tool_parameters(schema, "plain", "p", report)
    assert converted["properties"] == {"p": {"type": "number"}}
    assert report.codes == ["schema_malformed"]
