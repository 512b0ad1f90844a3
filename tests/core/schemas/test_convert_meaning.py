"""Every dialect takes what comes out, and it means the same, or a notice says that it does not.

Random schemas, in the ways that authors of tools write them; values that are near them; another
implementation of JSON Schema decides what is valid.
"""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from claude_code_proxy.core.report import Report
from claude_code_proxy.core.schemas.convert import answer_schema, tool_parameters
from claude_code_proxy.core.schemas.dialects import DIALECTS
from tests.core.schemas import oracle

WIDER = {"schema_keywords", "schema_flattened"}
NARROWER = {"schema_narrowed", "schema_flattened"}
NAMES = ("a", "b", "kind")
VALUES = ("x", "yy", "", 0, 1, 2.5, -3, True, False, None)
DEFINITIONS = ("Leaf", "Node", "Pair")


class Author:
    """Writes random schemas."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def schema(self, depth: int) -> Any:
        kinds = ["string", "number", "integer", "boolean", "null", "enum", "const", "any", "ref"]
        if depth > 0:
            kinds += ["object", "object", "array", "tuple", "anyOf", "oneOf", "allOf", "types", "odd"]
        made = getattr(self, f"_{self.chance.choice(kinds)}")(depth - 1)
        if isinstance(made, dict) and self.chance.random() < 0.2:
            made["description"] = self.chance.choice(("d", "e"))
        return made

    def record(self, depth: int) -> dict[str, Any]:
        properties = {name: self.schema(depth) for name in NAMES if self.chance.random() < 0.6}
        made: dict[str, Any] = {"type": "object", "properties": properties}
        if self.chance.random() < 0.5:
            made["required"] = [name for name in NAMES if self.chance.random() < 0.4]
        if self.chance.random() < 0.4:
            made["additionalProperties"] = self.chance.choice((False, True, {"type": "string"}))
        if self.chance.random() < 0.1:
            del made["type"]
        return made

    def _object(self, depth: int) -> Any:
        return self.record(depth)

    def _string(self, depth: int) -> Any:
        return {"type": "string", **self._some(minLength=1, maxLength=1, pattern="^x", format="uuid")}

    def _number(self, depth: int) -> Any:
        return {"type": "number", **self._some(minimum=0, exclusiveMaximum=2.5, multipleOf=1)}

    def _integer(self, depth: int) -> Any:
        return {"type": "integer", **self._some(exclusiveMinimum=0, maximum=2, exclusiveMaximum=2)}

    def _boolean(self, depth: int) -> Any:
        return {"type": "boolean"}

    def _null(self, depth: int) -> Any:
        return {"type": "null"}

    def _enum(self, depth: int) -> Any:
        values = [value for value in VALUES if self.chance.random() < 0.4] or ["x"]
        typed = {"type": self.chance.choice(("string", ["string", "null"]))}
        return {"enum": values, **(typed if self.chance.random() < 0.3 else {})}

    def _const(self, depth: int) -> Any:
        return {"const": self.chance.choice((*VALUES, {"a": 1}, ["x"]))}

    def _any(self, depth: int) -> Any:
        return self.chance.choice((True, False, {}, {"minLength": 1}, {"minimum": 1, "minItems": 1}))

    def _ref(self, depth: int) -> Any:
        beside = self._some(description="here", type="object", required=["a"], minLength=1)
        return {"$ref": f"#/$defs/{self.chance.choice(DEFINITIONS)}", **beside}

    def _array(self, depth: int) -> Any:
        items = {"items": self.schema(depth)} if self.chance.random() < 0.7 else {}
        return {"type": "array", **items, **self._some(minItems=1, maxItems=2, uniqueItems=True)}

    def _tuple(self, depth: int) -> Any:
        rest = self.chance.choice(({}, {"items": False}, {"items": self.schema(depth)}, {"maxItems": 2}))
        return {"type": "array", "prefixItems": [self.schema(depth), self.schema(depth)], **rest}

    def _anyOf(self, depth: int) -> Any:  # noqa: N802 - as the keyword
        beside = self.chance.choice(({}, {}, self.schema(depth), self.record(depth)))
        beside = beside if isinstance(beside, dict) else {}
        return {**beside, "anyOf": [self.schema(depth) for _ in range(self.chance.randint(1, 3))]}

    def _oneOf(self, depth: int) -> Any:  # noqa: N802
        return {"oneOf": [self.schema(depth) for _ in range(self.chance.randint(1, 3))]}

    def _allOf(self, depth: int) -> Any:  # noqa: N802
        beside = self.record(depth) if self.chance.random() < 0.5 else {}
        return {**beside, "allOf": [self.schema(depth) for _ in range(self.chance.randint(1, 2))]}

    def _types(self, depth: int) -> Any:
        types = self.chance.sample(["string", "number", "array", "object", "null", "boolean"], 2)
        return {"type": types, **self._some(minLength=1, items=self.schema(depth), enum=["x", None, 1])}

    def _odd(self, depth: int) -> Any:
        return {
            "type": "object",
            **self._some(
                patternProperties={"^a": self.schema(depth)},
                propertyNames={"maxLength": 1},
                minProperties=1,
                dependentRequired={"a": ["b"]},
                **{"if": self.record(depth), "then": self.record(depth), "not": self.schema(depth)},
            ),
        }

    def _some(self, **keywords: Any) -> dict[str, Any]:
        return {key: value for key, value in keywords.items() if self.chance.random() < 0.3}

    def whole(self) -> dict[str, Any]:
        root = self.record(2)
        if self.chance.random() < 0.3:
            key = self.chance.choice(("anyOf", "oneOf", "allOf"))
            root[key] = [self.record(1) for _ in range(self.chance.randint(1, 3))]
        leaf, pair = self._string(0), self.record(1)
        node = {"type": "object", "properties": {"a": {"$ref": "#/$defs/Node"}, "b": self.schema(0)}}
        return {**root, "$defs": {"Leaf": leaf, "Node": node, "Pair": pair}}


def near(schema: Any, root: Any, chance: random.Random, depth: int = 4) -> Any:
    """A value that has a chance to match `schema`."""
    if not isinstance(schema, dict) or depth < 0 or chance.random() < 0.05:
        return chance.choice((*VALUES, [], {}, ["x"], {"a": "x"}))
    if "$ref" in schema:
        return near(root["$defs"][schema["$ref"].rpartition("/")[2]], root, chance, depth - 1)
    if "const" in schema:
        return copy.deepcopy(schema["const"])
    if "enum" in schema:
        return chance.choice(schema["enum"])
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema and chance.random() < 0.7:
            picked = near(chance.choice(schema[key]), root, chance, depth - 1)
            if isinstance(picked, dict) and "properties" in schema:
                rest = {name: value for name, value in schema.items() if name != key}
                others = near(rest, root, chance, depth)
                return {**others, **picked} if isinstance(others, dict) else picked
            return picked
    types = schema.get("type", ["object" if "properties" in schema else "string"])
    match chance.choice(types) if isinstance(types, list) else types:
        case "object":
            required, properties = schema.get("required", ()), schema.get("properties", {})
            names = [name for name in NAMES if name in required or chance.random() < 0.4]
            return {name: near(properties.get(name), root, chance, depth - 1) for name in names}
        case "array":
            first = [near(item, root, chance, depth - 1) for item in schema.get("prefixItems", ())]
            more = chance.randint(schema.get("minItems", 0), 2)
            return [*first, *(near(schema.get("items"), root, chance, depth - 1) for _ in range(more))]
        case "string":
            return chance.choice(("x", "yy", "xx", ""))
        case "number" | "integer":
            return chance.choice((0, 1, 2, 2.5, -3))
        case "boolean":
            return chance.random() < 0.5
        case _:
            return None


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_a_tool(dialect: Any, seed: int) -> None:
    chance = random.Random(seed)
    schema = Author(chance).whole()
    before = copy.deepcopy(schema)
    report = Report()
    converted, _ = tool_parameters(schema, dialect, "p", report)
    assert schema == before
    assert oracle.faults(converted, dialect) == []
    assert oracle.weight(converted) < 3000 + 8 * oracle.weight(schema)
    again = Report()
    assert tool_parameters(schema, dialect, "p", again)[0] == converted
    compare(schema, converted, set(report.codes), chance)


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_an_answer(dialect: Any, seed: int) -> None:
    chance = random.Random(seed)
    schema = Author(chance).whole()
    report = Report()
    converted = answer_schema(schema, dialect, "p", report)
    if converted is None:
        assert DIALECTS[dialect].object_answers
        assert "type" not in schema
    else:
        compare(schema, converted, set(report.codes), chance)


def compare(schema: Any, converted: Any, codes: set[str], chance: random.Random) -> None:
    objects = {"type": "object", "allOf": [schema], "$defs": schema["$defs"]}
    if any(f"'{key}':" in str(converted) for key in ("oneOf", "not", "if")):
        narrower = wider = NARROWER | WIDER  # inside these what is wider makes the whole narrower
    else:
        narrower, wider = NARROWER, WIDER
    for source in (schema, converted) * 10:
        value = near(source, source, chance)
        wanted, got = oracle.is_valid(value, objects), oracle.is_valid(value, converted)
        if wanted and not got:
            assert codes & narrower, f"narrower: {value!r} {converted}"
        elif got and not wanted and isinstance(value, dict):
            assert codes & wider, f"wider: {value!r} {converted}"
