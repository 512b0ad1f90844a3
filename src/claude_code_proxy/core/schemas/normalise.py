"""One pass over a schema that leaves what a dialect takes, with the same meaning as far as that goes.

What cannot be said becomes text in the description beside it. Linear in what comes out, which the `Opener`
bounds: references put in place can multiply.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from claude_code_proxy.core import wire
from claude_code_proxy.core.schemas.clean import NEVER, Schema
from claude_code_proxy.core.schemas.dialects import ANNOTATIONS, KINDS, OF_TYPE
from claude_code_proxy.core.schemas.merge import any_of, is_of_type, natural_types, types_of, with_types
from claude_code_proxy.core.schemas.opening import Chain, Opener

_DEEPEST = 60
_MOST_TEXT = 400
_MAY_BE_BOOLEAN = frozenset({"items", "additionalProperties", "unevaluatedItems", "unevaluatedProperties"})
_BOUNDS = {"exclusiveMinimum": ("minimum", 1), "exclusiveMaximum": ("maximum", -1)}


class Normaliser:
    """Normalises the schemas that `opener` opens.

    `narrowed` are the keywords that are stricter in what comes out; those that are less strict are the
    opener's.
    """

    def __init__(self, opener: Opener) -> None:
        self.narrowed: set[str] = set()
        self._opener = opener
        self._lost = opener.lost
        self._dialect = opener.dialect

    def whole(self, schema: Any, chain: Chain) -> Schema:
        """`schema` normalised, with all that it refers to in `$defs`."""
        result = self._node(schema, chain, 0)
        named, definitions = self._opener.named, dict[str, Schema]()
        while len(definitions) < len(named):
            for name in list(named)[len(definitions) :]:
                target, chain = self._opener.references.target(named[name]), Chain(frozenset({named[name]}))
                opened, chain = self._opener.open(target, chain, inline=True)
                if "$ref" in opened:  # it is nothing but itself
                    self._lost.add("$ref")
                    opened = {}
                definitions[name] = self._node(opened, chain, 1)
        return {**result, "$defs": definitions} if definitions else result

    def _node(self, schema: Any, chain: Chain, depth: int) -> Schema:
        if depth > _DEEPEST:
            self._lost.add("nesting")
            return self._any({})
        opened, chain = self._opener.open(schema, chain)
        if "$ref" in opened:
            return opened
        if self._dialect.lone_any_of and opened.keys() & {"anyOf", "oneOf"}:
            return self._choices(opened, chain, depth)
        types = types_of(opened) if "type" in opened else self._implied(opened)
        if not types and self._dialect.typed:
            return self._any(opened)
        if len(types) > 1 and not self._dialect.type_lists:
            parts = [part for kind in types if (part := self._of_kind(opened, kind)) is not None]
            if not parts:  # an `enum` that the types rule out
                self._lost.add("enum")
                parts = [{"type": kind} for kind in types]
            notes = {key: opened[key] for key in opened if key in ANNOTATIONS}
            return self._united([self._single(part, chain, depth) for part in parts], notes)
        return self._single(with_types(opened, types) if types else opened, chain, depth)

    # --- one type, or a list of them -------------------------------------------------------------------
    def _single(self, schema: Schema, chain: Chain, depth: int) -> Schema:
        """A schema without references and, where the dialect wants that, of one type and no choices."""
        schema = self._fixed(schema)
        types = types_of(schema) if "type" in schema else []
        foreign = _foreign(tuple(types))
        lost: Schema = {}
        result: Schema = {}
        for key, value in schema.items():
            if key in foreign:
                continue
            if key == "oneOf" and key not in self._dialect.keywords and "anyOf" not in schema:
                self._lost.add(key)
                key = "anyOf"
            if not self._takes(key, value):
                if not (key == "additionalProperties" and value in (True, {})):
                    lost[key] = value
            elif KINDS[key] == "map":
                result[key] = self._map(value, chain, depth)
            elif KINDS[key] == "schemas":
                kept = (
                    value
                    if key not in ("anyOf", "oneOf")
                    else [item for item in value if not _is_never(item)]
                )
                result[key] = [self._node(item, chain, depth + 1) for item in kept or value]
            elif key == "additionalProperties" and value in (True, {}):
                result[key] = True
            elif KINDS[key] == "schema":
                stays = isinstance(value, bool) and key in _MAY_BE_BOOLEAN
                result[key] = value if stays else self._node(value, chain, depth + 1)
            else:
                result[key] = value
        if "object" in types or "properties" in result:
            self._object(schema, result, chain, depth)
        if "array" in types or "prefixItems" in schema or "items" in result:
            self._array(schema, result, lost, chain, depth)
        self._bounds(result, lost, types)
        if self._dialect.lengths_alone and result.keys() & {"pattern", "format"}:
            lost |= {key: result.pop(key) for key in ("minLength", "maxLength") if key in result}
        return self._with_text(result, lost)

    def _fixed(self, schema: Schema) -> Schema:
        """`const` and `enum` with their type, and in the form that the dialect takes."""
        fixed = [schema["const"]] if "const" in schema else schema.get("enum")
        if fixed is None:
            return schema
        enums = self._dialect.enums
        if "const" in schema and "const" not in self._dialect.keywords:
            schema = {key: value for key, value in schema.items() if key != "const"} | {"enum": fixed}
        if enums is None or "enum" not in schema:
            return schema
        kind = types_of(schema)[0]
        fitting = [value for value in fixed if is_of_type(value, kind)]
        told = fitting if self._dialect.empty_values else [value for value in fitting if value != ""]
        rest = {key: value for key, value in schema.items() if key != "enum"}
        if len(told) < len(fitting):
            self.narrowed.add("enum")
        if not told:
            self._lost.add("enum")
        elif kind in enums:
            return rest | {"enum": told}
        elif kind != "null" and not (kind == "boolean" and len(told) > 1):
            return self._with_text(rest, {"enum": told})
        return rest

    def _object(self, schema: Schema, result: Schema, chain: Chain, depth: int) -> None:
        """The properties that `result` requires; `schema` is what it is made of."""
        properties = result.get("properties", {})
        if missing := [name for name in result.get("required", ()) if name not in properties]:
            other = schema.get("additionalProperties", True)
            if other is False or any(_is_never(schema.get("properties", {}).get(name)) for name in missing):
                self._lost.add("required")
                result["required"] = [name for name in result["required"] if name in properties]
            else:
                filler = self._node(other, chain, depth + 1)
                result["properties"] = {**properties, **dict.fromkeys(missing, filler)}
        if result.get("required") == []:
            del result["required"]
        if self._dialect.closed_objects and not result.get("properties"):
            result.setdefault("additionalProperties", True)

    def _array(self, schema: Schema, result: Schema, lost: Schema, chain: Chain, depth: int) -> None:
        """The items of `result`; `schema` is what it is made of."""
        items = result.get("items", True)
        first = result.get("prefixItems") or lost.pop("prefixItems", [])
        if items in (False, NEVER):
            result["maxItems"] = min(len(first), result.get("maxItems", len(first)))
            items = True
        closed = result.get("maxItems", math.inf) <= len(first)
        if first and "prefixItems" not in result:
            if not closed and items is True:
                self.narrowed.add("prefixItems")
            rest = [] if closed or items is True else [schema["items"]]
            self._lost.add("prefixItems")
            items = self._node(any_of([*first, *rest]), chain, depth + 1)
        result["items"] = self._node(True, chain, depth + 1) if items is True else items
        if "maxItems" in result and "maxItems" not in self._dialect.keywords:
            lost["maxItems"] = result.pop("maxItems")

    def _bounds(self, result: Schema, lost: Schema, types: list[str]) -> None:
        """Say open bounds by closed ones where there are no others."""
        for exclusive, (bound, step) in _BOUNDS.items():
            if exclusive not in lost or bound not in self._dialect.keywords:
                continue
            value = lost[exclusive]
            if types == ["integer"] and -math.inf < value < math.inf:
                value = (math.floor(value) if step > 0 else math.ceil(value)) + step
                del lost[exclusive]
            value = value if bound not in result else (max if step > 0 else min)(value, result[bound])
            if self._takes(bound, value):
                result[bound] = value
            else:
                lost[bound] = value

    def _takes(self, key: str, value: Any) -> bool:
        dialect = self._dialect
        if key not in dialect.keywords:
            return False
        if key == "format":
            return dialect.formats is None or value in dialect.formats
        if key == "pattern":
            return dialect.refused_patterns.search(value) is None
        if KINDS[key] in ("count", "number") and key != "multipleOf":
            if dialect.whole_bounds and not (isinstance(value, int) and value >= 0):
                return False
            if dialect.most_repeats is not None and key in ("minItems", "maxItems"):
                return bool(value <= dialect.most_repeats)
        return True

    def _map(self, value: Schema, chain: Chain, depth: int) -> Schema:
        result: Schema = {}
        for name, child in value.items():
            if _is_never(child):
                self._lost.add("false")
            else:
                result[name] = self._node(child, chain, depth + 1)
        return result

    # --- choices ---------------------------------------------------------------------------------------
    def _choices(self, schema: Schema, chain: Chain, depth: int) -> Schema:
        """`anyOf` with all that stood beside it inside of each choice."""
        key = "anyOf" if "anyOf" in schema else "oneOf"
        if "oneOf" in schema:
            self._lost.add("oneOf")
        notes = {word: schema[word] for word in schema if word in ANNOTATIONS}
        beside = {word: schema[word] for word in schema if word not in (*notes, "anyOf", "oneOf")}
        choices: list[Schema] = []
        for choice in schema[key]:
            if _is_never(choice):
                continue
            opened, inner = self._opener.open(choice, chain, inline=bool(beside))
            if "$ref" in opened:
                self._lost.update(beside)
                merged: Schema | None = {"$ref": self._opener.named[opened["$ref"].removeprefix("#/$defs/")]}
            else:
                merged = self._opener.merge(beside, opened)
            if merged is not None:
                choices.append(self._node(merged, inner, depth + 1))
        if not choices:
            self._lost.add(key)
            return self._node({**beside, **notes}, chain, depth + 1)
        return self._united(choices, notes)

    def _united(self, choices: list[Schema], notes: Schema) -> Schema:
        """One schema for several, with the annotations `notes`."""
        notes = {key: value for key, value in notes.items() if key in self._dialect.keywords}
        nullable = "nullable" in self._dialect.keywords
        if nullable and any(_is_null(choice) or choice.get("nullable") for choice in choices):
            notes["nullable"] = True
            choices = [choice for choice in choices if not _is_null(choice)]
        if not choices:
            return {"type": "null", **notes}
        flat: list[Schema] = []
        for choice in choices:
            plain = choice.keys() <= {"anyOf", "nullable"}
            flat += choice["anyOf"] if plain and "anyOf" in choice else [choice]
        if nullable:
            flat = [{key: item[key] for key in item if key != "nullable"} for item in flat]
        united = any_of(flat)
        if "$ref" in united and notes:
            united = {"anyOf": [united]}  # nothing may stand beside a reference
        if "anyOf" in united and self._dialect.bare_any_of:
            first, *others = united["anyOf"]
            united = {"anyOf": [_described(first, notes), *others]}
            return {**united, **{key: value for key, value in notes.items() if key == "nullable"}}
        return {**united, **notes, **_described(united, notes)}

    def _of_kind(self, schema: Schema, kind: str) -> Schema | None:
        """`schema` for values of one type, without annotations; None where no value is left."""
        part = {key: value for key, value in schema.items() if key not in ANNOTATIONS and key != "type"}
        if "const" in part:
            part["enum"] = [part.pop("const")]
        if "enum" in part:
            part["enum"] = [value for value in part["enum"] if is_of_type(value, kind)]
            if not part["enum"]:
                return None
        return {"type": kind, **part}

    # --- what has no type ------------------------------------------------------------------------------
    def _implied(self, schema: Schema) -> list[str]:
        """The types that a schema without `type` speaks of, where its values or the dialect want them."""
        if "enum" in schema or "const" in schema:
            return natural_types([schema["const"]] if "const" in schema else schema["enum"])
        if not self._dialect.typed or schema.keys() & {"anyOf", "oneOf"}:
            return []
        types = [kind for kind, words in OF_TYPE.items() if words & schema.keys()]
        if types:
            self.narrowed.add("type")
        return types

    def _any(self, schema: Schema) -> Schema:
        """A schema that allows every value, with the annotations of `schema`."""
        lost = {key: value for key, value in schema.items() if key not in ANNOTATIONS}
        notes = {key: value for key, value in schema.items() if key in ANNOTATIONS & self._dialect.keywords}
        notes = self._with_text(notes, lost)
        if not self._dialect.typed:
            return notes
        self.narrowed.add("type")
        return self._united(self._dialect.any_value["anyOf"], notes)

    # --- what cannot be said ---------------------------------------------------------------------------
    def _with_text(self, result: Schema, lost: Schema) -> Schema:
        """`result` with the constraints `lost` in words."""
        if not lost:
            return result
        words = {key: value for key, value in lost.items() if key not in ANNOTATIONS and value is not False}
        self._lost.update(lost.keys() - ANNOTATIONS)
        text = wire.dumps_text(words)
        if not words or len(text) > _MOST_TEXT or '"$ref"' in text:
            return result
        described = f"{result.get('description', '')} Must also match this JSON Schema: {text}".lstrip()
        return {**result, "description": described}


def _described(schema: Schema, notes: Schema) -> Schema:
    """`schema` with the description of `notes` before its own."""
    found = (notes.get("description"), schema.get("description"))
    words = " ".join(dict.fromkeys(text for text in found if text))
    return {**schema, "description": words} if words else schema


def _is_never(schema: Any) -> bool:
    return schema is False or schema == NEVER


def _is_null(schema: Schema) -> bool:
    return schema.get("type") == "null"


@lru_cache(maxsize=512)
def _foreign(types: tuple[str, ...]) -> frozenset[str]:
    """The keywords that say nothing about values of the `types`; none where there are no types."""
    kinds = {"number" if kind == "integer" else kind for kind in types}
    return frozenset().union(*(words for kind, words in OF_TYPE.items() if types and kind not in kinds))
