"""The top of a tool's schema as the one plain object that every provider wants there."""

from __future__ import annotations

from typing import Any

from claude_code_proxy.core import wire
from claude_code_proxy.core.schemas.clean import NEVER, Schema
from claude_code_proxy.core.schemas.merge import any_of, both_lazily, types_of
from claude_code_proxy.core.schemas.opening import Chain, Opener

_CHOICES = ("anyOf", "oneOf")
_REFUSED = (*_CHOICES, "not", "enum", "const")
_MOST_TEXT = 3000


def object_root(schema: Any, opener: Opener, chain: Chain) -> tuple[Schema, Chain, str]:
    """`schema` as one object, the chain that holds inside it, and in words what it does not say any more.

    A property is what one of the choices says it is; what all of them require is required. What is nested is
    not normalised yet. The words are "" where the object says all, up to what `opener` notes as lost.
    """
    opened, chain = opener.open(schema, chain, inline=True)
    words: Schema = {key: opened[key] for key in _REFUSED if key in opened}
    root = _flat(opened, chain, opener, words)
    if root is not None:
        return root, chain, _text(words)
    return {"type": "object", "properties": {}}, chain, _text(schema)


def is_object(schema: Any, opener: Opener, chain: Chain) -> bool:
    """Whether `schema` allows objects only."""
    opened, chain = opener.open(schema, chain, inline=True)
    if opened.get("type") == "object":
        return True
    choices = [choice for key in _CHOICES for choice in opened.get(key, ())]
    return bool(choices) and all(is_object(choice, opener, chain) for choice in choices)


def _flat(opened: Schema, chain: Chain, opener: Opener, words: Schema) -> Schema | None:
    """The opened schema as one object, None where no object is allowed; `words` get the resolved choices."""
    if "$ref" in opened:  # it refers to itself alone
        opened = {}
    if "object" not in types_of(opened) or opened == NEVER:
        return None
    root: Schema = {key: value for key, value in opened.items() if key not in _REFUSED} | {"type": "object"}
    root.setdefault("properties", {})
    for key in _CHOICES:
        choices: list[Schema] = []
        told: list[Any] = []
        for choice in opened.get(key, ()):
            flat = _flat(*opener.open(choice, chain, inline=True), opener, {})
            choices += [flat] if flat is not None else []
            told.append(
                flat if flat is not None and isinstance(choice, dict) and "$ref" in choice else choice
            )
        if told:
            root, words[key] = _united(root, choices), told
    return root


def _united(root: Schema, choices: list[Schema]) -> Schema:
    """`root` with what the objects `choices`, of which one holds, say of its properties."""
    properties = dict(root["properties"])
    found: dict[str, list[Any]] = {}
    for choice in choices:
        for name, value in choice["properties"].items():
            if value is not False and value != NEVER:
                found.setdefault(name, []).append(value)
    for name, values in found.items():
        if name not in properties:
            properties[name] = any_of(values)
        elif len(values) == len(choices):
            properties[name] = both_lazily(properties[name], any_of(values))
    result = {**root, "properties": properties}
    required = dict.fromkeys(root.get("required", ()))
    if choices:
        common = set[str](choices[0].get("required", ())).intersection(
            *(choice.get("required", ()) for choice in choices)
        )
        required |= dict.fromkeys(name for name in choices[0].get("required", ()) if name in common)
    if required:
        result["required"] = list(required)
    if choices and all(choice.get("additionalProperties") is False for choice in choices):
        result.setdefault("additionalProperties", False)
    return result


def _text(words: Schema) -> str:
    if not words:
        return ""
    text = wire.dumps_text(words)
    if len(text) > _MOST_TEXT:
        text = wire.dumps_text({key: _in_short(value) for key, value in words.items()})
    return f"The input must also match this JSON Schema: {text[:_MOST_TEXT]}"


def _in_short(value: Any) -> Any:
    """Choices by the names of their properties alone."""
    if not isinstance(value, list):
        return value
    return [
        {
            key: list(choice[key])
            for key in ("properties", "required")
            if isinstance(choice.get(key), dict | list)
        }
        for choice in value
        if isinstance(choice, dict)
    ]
