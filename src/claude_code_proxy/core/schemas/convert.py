"""The schema of a tool or of an answer, as the dialect of a provider has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from claude_code_proxy.core.providers.profile import SchemaDialect
from claude_code_proxy.core.report import Report
from claude_code_proxy.core.schemas.clean import Schema
from claude_code_proxy.core.schemas.dialects import DIALECTS
from claude_code_proxy.core.schemas.normalise import Normaliser
from claude_code_proxy.core.schemas.object_root import is_object, object_root
from claude_code_proxy.core.schemas.opening import Chain, Opener, TooLarge

_REFERENCES = (6, 1, 0)
"""How many references may be put in place inside each other: fewer where more would make it too large."""
_LEAST_GROWTH, _MOST_GROWTH = 2000, 5000
"""By how many values a schema may grow."""


def tool_parameters(
    schema: Any, dialect: SchemaDialect, path: str, report: Report
) -> tuple[dict[str, Any], str]:
    """The parameters of a tool and a text for its description ("" where they say all).

    The client's object is not touched.
    """
    schema = schema if isinstance(schema, dict) else {}

    def make(opener: Opener, normaliser: Normaliser) -> tuple[Schema, str]:
        root, chain, words = object_root(schema, opener, Chain())
        return normaliser.whole(root, chain), words

    result, words = _made(schema, dialect, path, report, make)
    if words:
        report.changed("schema_flattened", path, "providers refuse combined schemas at the top level")
    return result, words


def answer_schema(
    schema: dict[str, Any], dialect: SchemaDialect, path: str, report: Report
) -> dict[str, Any] | None:
    """The schema of an answer; None where the dialect wants an object and this is none."""

    def make(opener: Opener, normaliser: Normaliser) -> tuple[Schema | None, str]:
        if not DIALECTS[dialect].object_answers:
            return normaliser.whole(schema, Chain()), ""
        if not is_object(schema, opener, Chain()):
            return None, ""
        root, chain, words = object_root(schema, opener, Chain())
        if words:
            told = words.replace("The input", "The answer", 1)
            root = {**root, "description": f"{root.get('description', '')}\n\n{told}".strip()}
        return normaliser.whole(root, chain), words

    made = _made(schema, dialect, path, report, make)
    result: dict[str, Any] | None = made[0]
    if made[1]:
        report.changed("schema_flattened", path, "the provider refuses a combined schema at the top level")
    return result


def _made(
    schema: Any,
    name: SchemaDialect,
    path: str,
    report: Report,
    make: Callable[[Opener, Normaliser], tuple[Any, str]],
) -> tuple[Any, str]:
    weight = _weight(schema)
    most = weight + min(_LEAST_GROWTH + weight, _MOST_GROWTH)
    attempts = iter(_REFERENCES)
    while True:
        references = next(attempts)
        opener = Opener(
            schema, DIALECTS[name], most_references=references, most=most, cuts=references == _REFERENCES[-1]
        )
        normaliser = Normaliser(opener)
        try:
            made = make(opener, normaliser)
            break
        except TooLarge:
            continue
    for code, words, reason in (
        ("schema_malformed", opener.bad, "these keywords have no meaning here"),
        ("schema_keywords", opener.lost, "not in the provider's dialect, at most in words"),
        ("schema_narrowed", normaliser.narrowed, "the provider's dialect cannot say all values"),
    ):
        if words:
            report.changed(code, path, f"{reason}: {', '.join(sorted(words))}")
    return made


def _weight(value: Any) -> int:
    """How many values a JSON value holds; long texts count as several."""
    count = 0
    pending = [value]
    while pending:
        item = pending.pop()
        count += 1
        if isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, str):
            count += len(item) // 32
    return count
