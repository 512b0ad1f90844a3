"""How models write tool calls as text, when nobody parses them on the way.

One row per notation: where a group of calls begins and ends, what must come first in it, and how to read
it whole. The notations are those of the models' own chat templates. A reader returns the calls, None when
the group is no such notation, or `UNFINISHED` when the end marker it stopped at was part of a value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from claude_code_proxy.core import wire
from claude_code_proxy.core.json_prefix import ObjectScanner
from claude_code_proxy.core.providers.profile import TextDialect

Parameters = Mapping[str, Mapping[str, Any]]
"""JSON Schema of the parameters by tool name: it alone tells a number from a text."""


class TextCall(NamedTuple):
    """A call: `id` is empty where the notation has none, `arguments` is the text of a JSON object."""

    name: str
    arguments: str
    id: str = ""


class Unfinished:
    """The type of `UNFINISHED`."""


UNFINISHED = Unfinished()
"""More of the group is to come."""

Calls = list[TextCall] | Unfinished | None


class Notation(NamedTuple):
    """A group of calls stands between `start` and `end`, its first word is one of `first` (any, if empty).

    `read` takes what stands between them, and the schemas of the tools. Without an `end` the group is the
    JSON object that `start` begins, at the start of a line, and `read` takes all of it.
    """

    start: str
    end: str
    first: tuple[str, ...]
    read: Callable[[str, Parameters], Calls]


# --- JSON -------------------------------------------------------------------------------------------------


def _read_hermes(body: str, _: Parameters) -> Calls:
    """`{"name": ..., "arguments": {...}}`, once."""
    value = _object_in(body)
    return _call_of(value) if isinstance(value, dict) else value


def _read_bare_json(body: str, _: Parameters) -> Calls:
    """The same without any marker, or as OpenAI's format has a call: an object that says nothing else."""
    value = _json_or_none(body)
    if isinstance(value, dict) and isinstance(value.get("function"), dict):
        value = {"wrapper": value.keys() - {"type", "id", "function"}, **value["function"]}
        if value.pop("wrapper"):
            return None
    if not isinstance(value, dict) or value.keys() - {"name", "arguments", "parameters", "type", "id"}:
        return None
    return _call_of(value) if value.keys() & {"arguments", "parameters"} else None


def _call_of(value: dict[str, Any]) -> Calls:
    name, arguments = value.get("name"), value.get("arguments", value.get("parameters", {}))
    if isinstance(arguments, str):
        arguments = _json_or_none(arguments)
    if not isinstance(name, str) or not isinstance(arguments, dict):
        return None
    return [TextCall(name, wire.dumps_text(arguments))]


def _object_in(text: str) -> dict[str, Any] | Unfinished | None:
    """The one JSON object that `text` is, apart from white space."""
    scanner = ObjectScanner()
    at = scanner.feed(text)
    if scanner.broken or text[at:].strip():
        return None
    if not scanner.complete:
        return UNFINISHED
    value = _json_or_none(text)
    return value if isinstance(value, dict) else None


def _json_or_none(text: str) -> Any:
    try:
        return wire.loads_bounded(text)
    except wire.WireError:
        return None


# --- tags with a name -------------------------------------------------------------------------------------


class _Tags(NamedTuple):
    """Calls as nested tags; the patterns have the name, and for a parameter perhaps its kind, as groups."""

    call: re.Pattern[str]
    call_end: str
    parameter: re.Pattern[str]
    parameter_end: str
    keeps_space: bool  # a value is exact; else one line break at each end is layout

    def read(self, body: str, parameters: Parameters) -> Calls:
        """One call or several, with nothing but white space between them."""
        calls: list[TextCall] = []
        at = _skip_space(body, 0)
        while at < len(body):
            head = self.call.match(body, at)
            if head is None:
                return None
            found = self._arguments(body, head.end(), parameters.get(head[1], {}))
            if not isinstance(found, tuple):
                return found
            values, at = found
            calls.append(TextCall(head[1], wire.dumps_text(values)))
        return calls or None

    def _arguments(
        self, body: str, at: int, schema: Mapping[str, Any]
    ) -> tuple[dict[str, Any], int] | Unfinished | None:
        """The arguments of the call whose head ends at `at`, and where the next call may begin."""
        values: dict[str, Any] = {}
        properties = schema.get("properties")
        known = properties if isinstance(properties, dict) else {}
        while True:
            at = _skip_space(body, at)
            if body.startswith(self.call_end, at):
                return values, _skip_space(body, at + len(self.call_end))
            head = self.parameter.match(body, at)
            if head is None:
                return UNFINISHED if at == len(body) else None
            end = self._value_end(body, head.end())
            if end < 0:
                return UNFINISHED
            text = body[head.end() : end]
            if not self.keeps_space:
                text = text.removeprefix("\n").removesuffix("\n")
            said = head.groupdict().get("text")
            is_text = said == "true" if said else _takes_text(known.get(head[1]))
            values[head[1]] = text if is_text else _value(text)
            at = end + len(self.parameter_end)

    def _value_end(self, body: str, at: int) -> int:
        """Where the value ends: at an end tag that another parameter or the call's end follows."""
        end = body.find(self.parameter_end, at)
        while end >= 0:
            after = _skip_space(body, end + len(self.parameter_end))
            if body.startswith(self.call_end, after) or self.parameter.match(body, after):
                return end
            end = body.find(self.parameter_end, end + 1)
        return -1


def _takes_text(schema: Any) -> bool:
    """Whether a value of this schema may be a text; unknown ones are."""
    if not isinstance(schema, dict):
        return True
    for key in ("anyOf", "oneOf"):
        if isinstance(options := schema.get(key), list):
            return any(map(_takes_text, options))
    kinds = schema.get("type")
    return kinds is None or "string" in (kinds if isinstance(kinds, list) else [kinds])


def _value(text: str) -> Any:
    """A value that is no text: JSON, with the words for it that Python has; else as the model wrote it."""
    word = text.strip()
    value = _json_or_none({"True": "true", "False": "false", "None": "null"}.get(word, word))
    return text if value is None and word not in ("null", "None") else value


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


_QWEN = _Tags(
    re.compile(r"<function=([^<>\s]+)>"),
    "</function>",
    re.compile(r"<parameter=([^<>\s]+)>"),
    "</parameter>",
    keeps_space=False,
)
_DSML = _Tags(
    re.compile(r'<｜DSML｜invoke name="([^"]+)">'),
    "</｜DSML｜invoke>",
    re.compile(r'<｜DSML｜parameter name="([^"]+)"(?: string="(?P<text>true|false)")?>'),
    "</｜DSML｜parameter>",
    keeps_space=True,
)


def _read_bare_qwen(body: str, parameters: Parameters) -> Calls:
    """A call without the tag around it; its own start and end are the markers here."""
    return _QWEN.read(f"<function={body}</function>", parameters)


# --- special tokens ---------------------------------------------------------------------------------------

_KIMI_CALL = re.compile(
    r"\s*<\|tool_call_begin\|>\s*([^<\s]+)\s*<\|tool_call_argument_begin\|>(.*?)<\|tool_call_end\|>\s*",
    re.DOTALL,
)
_KIMI_ID = re.compile(r"(?:functions\.)?([^:]+):[0-9]+")
_DEEPSEEK_CALL = re.compile(
    r"\s*<｜tool▁call▁begin｜>(?:function<｜tool▁sep｜>)?([^<\n]+?)(?:<｜tool▁sep｜>|\n)(.*?)<｜tool▁call▁end｜>\s*",
    re.DOTALL,
)


def _read_kimi(body: str, _: Parameters) -> Calls:
    """Each call has an id that holds its name, `functions.NAME:0`, and a JSON object."""
    calls: list[TextCall] = []
    at = 0
    while at < len(body):
        match = _KIMI_CALL.match(body, at)
        named = _KIMI_ID.fullmatch(match[1]) if match else None
        if match is None or named is None or not isinstance(_object_in(match[2]), dict):
            return None
        calls.append(TextCall(named[1], match[2].strip(), match[1]))
        at = match.end()
    return calls or None


def _read_deepseek(body: str, _: Parameters) -> Calls:
    """A name and a JSON object, which V3 and R1 put into a code fence."""
    calls: list[TextCall] = []
    at = 0
    while at < len(body):
        match = _DEEPSEEK_CALL.match(body, at)
        if match is None:
            return None
        arguments = match[2].strip().removeprefix("```json").removesuffix("```").strip()
        if not isinstance(_object_in(arguments), dict):
            return None
        calls.append(TextCall(match[1].strip(), arguments))
        at = match.end()
    return calls or None


_KIMI_FIRST = ("<|tool_call_begin|>",)
_DSML_FIRST = ("<｜DSML｜invoke",)

_BARE_FIRST = ('"name"', '"arguments"', '"parameters"', '"type"', '"function"', '"id"')

DIALECTS: Mapping[TextDialect, tuple[Notation, ...]] = {
    "json": (Notation("{", "", _BARE_FIRST, _read_bare_json),),
    "hermes": (Notation("<tool_call>", "</tool_call>", ("{",), _read_hermes),),
    "qwen_xml": (
        Notation("<tool_call>", "</tool_call>", ("<function=",), _QWEN.read),
        Notation("<function=", "</function>", (), _read_bare_qwen),
    ),
    "kimi": (
        Notation("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", _KIMI_FIRST, _read_kimi),
        Notation("<|tool_call_section_begin|>", "<|tool_call_section_end|>", _KIMI_FIRST, _read_kimi),
    ),
    "deepseek": (
        Notation(
            "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", ("<｜tool▁call▁begin｜>",), _read_deepseek
        ),
        Notation("<｜DSML｜function_calls>", "</｜DSML｜function_calls>", _DSML_FIRST, _DSML.read),
        Notation("<｜DSML｜tool_calls>", "</｜DSML｜tool_calls>", _DSML_FIRST, _DSML.read),
    ),
}
"""By the names that `Profile.text_tool_calls` takes: Qwen 2.5 and 3, Hermes; Qwen3-Coder; Kimi; DeepSeek.

`json`, which no profile has by itself: what small models write when nobody tells them how.
"""
