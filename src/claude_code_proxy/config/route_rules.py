"""`routes` and `safety_model` of an entry: what other models do for it."""

from __future__ import annotations

from typing import Any

from claude_code_proxy.config.field_reader import FieldReader
from claude_code_proxy.config.problems import did_you_mean
from claude_code_proxy.config.sizes import parse_size
from claude_code_proxy.config.value_kinds import shown
from claude_code_proxy.core.request.request_kind import KINDS, Rule

OFF = "off"
_LENGTH = 'write long_context: {"above": "120k", "to": "MODEL"}'


def read_rules(reader: FieldReader) -> tuple[Rule, ...]:
    """The rules in the order of the file; what is wrong is noted."""
    routes: dict[str, Any] = reader.take("routes", dict[str, Any], default={})
    rules = [_rule(reader, kind, value) for kind, value in routes.items()]
    return tuple(rule for rule in rules if rule is not None)


def read_safety_model(reader: FieldReader) -> str | None:
    """The model that judges tool calls; "" where nobody is to, None where the entry says nothing."""
    named: str | bool = reader.take("safety_model", str | bool, default=True)
    if isinstance(named, bool):
        if named and reader.has("safety_model"):
            reader.problem("safety_model", "safety_model must name a model, or be off")
        return None if named else ""
    if not named.strip() or "*" in named:
        reader.problem("safety_model", f"safety_model must name a model, not {shown(named)}")
    return "" if named.strip().lower() == OFF else named.strip()


def _rule(reader: FieldReader, kind: str, value: Any) -> Rule | None:
    key = f"routes.{kind}"
    if kind not in KINDS:
        hint = did_you_mean(kind, KINDS) or f"there are {', '.join(KINDS)}"
        reader.problem(key, f'routes: unknown kind of request "{kind}"', hint)
        return None
    above = 0
    if kind == "long_context":
        if not isinstance(value, dict):
            reader.problem(key, f"{key} must be a mapping, not {shown(value)}", _LENGTH)
            return None
        for inner in value:
            if inner not in ("above", "to"):
                hint = did_you_mean(str(inner), ("above", "to"))
                reader.problem(key, f'{key}: unknown key "{inner}"', hint or _LENGTH)
        try:
            above = parse_size(value.get("above"))
        except ValueError as error:
            reader.problem(key, f"{key}.above {error}, not {shown(value.get('above'))}", _LENGTH)
        value = value.get("to")
    if not isinstance(value, str) or not value.strip() or "*" in value:
        reader.problem(key, f"{key} must name a model, not {shown(value)}", _LENGTH if above else "")
        return None
    return Rule(kind, value.strip(), above)
