"""Refusals of a schema or of a tool's name: what they are about, and what would be taken instead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from claude_code_proxy.core.errors.fault import Fault
from claude_code_proxy.core.providers.profile import Profile, SchemaDialect
from claude_code_proxy.core.schemas.dialects import SMALLEST

_WORDS: Mapping[SchemaDialect, re.Pattern[str]] = {
    "kimi": re.compile(r"moonshot flavored|\bmfjs\b", re.IGNORECASE),
    "gemini": re.compile(
        r"function_?declaration|generatecontentrequest|generation_config\.|proto field is not repeating"
        r"|unknown name [`'\"]\$?\w{1,40}[`'\"] at [`'\"]tools|response_schema",
        re.IGNORECASE,
    ),
    "xgrammar": re.compile(
        r"xgrammar|llguidance|schema into a grammar|unimplemented keys|guided decoding", re.IGNORECASE
    ),
    "gbnf": re.compile(
        r"json schema conversion failed|parse grammar|initialize samplers|unrecognized schema"
        r"|error resolving ref|unsupported ref\b|pattern must start with",
        re.IGNORECASE,
    ),
}
"""Who speaks: each validator has words of its own."""
_SOME_SCHEMA = re.compile(
    r"invalid[ _](?:json[ _]|function[ _]|tool[ _])?schema|json schema is invalid|invalid_function_parameters"
    r"|not a valid (?:\w{1,30} flavored )?json schema|schema keyword|schema missing|given schemas"
    r"|schema must (?:be|have)|input_schema",
    re.IGNORECASE,
)
_STRICT = re.compile(
    r"required to be supplied|every key in properties|must have a 'type' key|is not permitted"
    r"|extra required key|nesting|too many (?:properties|enum)|enum values|must not be anyof|nested depth",
    re.IGNORECASE,
)
_STRICT_ITSELF = re.compile(r"\bstrict\b", re.IGNORECASE)
_ANSWER = re.compile(r"response_?format|text\.format|response_?schema", re.IGNORECASE)
_NAME = re.compile(r"function name is invalid|invalid (?:function|tool) name", re.IGNORECASE)
_FIRST = re.compile(r"(?:start|begin) with a letter( or an? underscore)?", re.IGNORECASE)
_MAY_SHRINK = ("plain", "openai_strict")
"""Dialects with more keywords than the smallest one has, all of which every other might take."""


def is_about_schema(fault: Fault) -> bool:
    """Whether a schema is refused."""
    text = _text(fault)
    return _SOME_SCHEMA.search(text) is not None or _speaker(text) is not None


def dialect_for(fault: Fault, profile: Profile) -> SchemaDialect | None:
    """The dialect that the refused schema is to be written in; None where that would not help."""
    text = _text(fault)
    named = _speaker(text)
    if named is not None:
        return named if named != profile.schema_dialect else None
    return SMALLEST if profile.schema_dialect in _MAY_SHRINK and _SOME_SCHEMA.search(text) else None


def _speaker(text: str) -> SchemaDialect | None:
    return next((dialect for dialect, words in _WORDS.items() if words.search(text)), None)


def _text(fault: Fault) -> str:
    return f"{fault.message} {fault.param} {' '.join(fault.codes)}"


def strict_field(fault: Fault, sent: Mapping[str, Any]) -> str | None:
    """The field of `sent` whose `strict: true` is what the refusal is about, None for none.

    "tools", "response_format" (Chat Completions) or "text" (Responses).
    """
    text = f"{fault.message} {fault.param}"
    if not _STRICT_ITSELF.search(text) and not (_STRICT.search(text) and is_about_schema(fault)):
        return None
    answer = _strict_answer(sent)
    if answer and _ANSWER.search(text):
        return answer_field(sent)
    if any(tool.get("strict") or "strict" in tool.get("function", {}) for tool in sent.get("tools") or ()):
        return "tools"
    return answer_field(sent) if answer else None


def answer_field(sent: Mapping[str, Any]) -> str:
    """The field of `sent` that says which form the answer is to have, in either format."""
    return "text" if "text" in sent else "response_format"


def answer_form(sent: Mapping[str, Any]) -> Any:
    """The form that `sent` asks the answer to have, in either format; None for none."""
    text = sent.get("text")
    return text.get("format") if isinstance(text, dict) else sent.get("response_format")


def _strict_answer(sent: Mapping[str, Any]) -> bool:
    form = answer_form(sent)
    if not isinstance(form, dict):
        return False
    return bool(form.get("strict") or "strict" in (form.get("json_schema") or {}))


def is_about_answer(fault: Fault) -> bool:
    """Whether the form of the answer is refused."""
    return _ANSWER.search(f"{fault.message} {fault.param}") is not None


def name_start(fault: Fault, profile: Profile) -> str | None:
    """What tool names must begin with, by a refusal of one; None where that is known or not said."""
    if profile.tool_name_start != "any" or not _NAME.search(fault.message):
        return None
    found = _FIRST.search(fault.message)
    return None if found is None else "letter_or_underscore" if found[1] else "letter"
