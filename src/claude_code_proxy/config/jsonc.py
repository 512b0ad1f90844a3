"""JSON as people write it by hand: comments and trailing commas allowed, every key's line known."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from .problems import ConfigError, Problem

_TOKEN = re.compile(
    r"""
    (?P<string> "(?:[^"\\\n]|\\.)*" )
  | (?P<comment> //[^\n]* | /\*(?:.*?\*/|.*) )  # one without its end takes all, or each would search for it
  | (?P<comma> ,(?=(?:\s|//[^\n]*+|(?>/\*.*?\*/))*+[}\]]) )
    """,
    re.VERBOSE | re.DOTALL,
)
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
_KEY_OR_BRACKET = re.compile(r'"(?:[^"\\\n]|\\.)*"(?P<colon>\s*:)?|[{}\[\]]')


class Document(NamedTuple):
    """A parsed file. `lines` maps the path of each key outside lists to its line (from 1)."""

    value: Any
    lines: dict[tuple[str, ...], int]


def read_document(path: Path) -> Document:
    """Read a JSON file with `//` and `/* */` comments and trailing commas.

    Raises `ConfigError` with the line when it is no such file or has a key twice; `OSError` when it cannot
    be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError.of([Problem(path, None, "not UTF-8 text", "save the file as UTF-8")]) from error
    plain = _TOKEN.sub(_blank, text)
    try:
        value = json.loads(plain)
    except json.JSONDecodeError as error:
        raise ConfigError.of([Problem(path, error.lineno, f"not valid JSON: {error.msg}")]) from error
    except ValueError as error:  # more digits than Python converts
        raise ConfigError.of([Problem(path, None, "a number with thousands of digits")]) from error
    except RecursionError as error:
        raise ConfigError.of([Problem(path, None, "not valid JSON: nested too deep")]) from error
    return Document(value, _key_lines(path, plain))


def _blank(match: re.Match[str]) -> str:
    """Strings stay; comments and trailing commas become spaces, so that every line number stays true."""
    return match[0] if match.lastgroup == "string" else re.sub(r"[^\n]", " ", match[0])


def _key_lines(path: Path, plain: str) -> dict[tuple[str, ...], int]:
    lines: dict[tuple[str, ...], int] = {}
    opened: list[str] = []  # the key under which each open bracket stands
    lists = 0  # open lists: their members have no path of keys
    key = ""
    line, counted = 1, 0
    for match in _KEY_OR_BRACKET.finditer(plain):
        line, counted = line + plain.count("\n", counted, match.start()), match.start()
        if "\\u" in match[0] and _HALF_CHARACTER.search(json.loads(match[0].rstrip(": \t\r\n"))):
            what = "half of a character: an escape from \\ud800 to \\udfff that has no second half"
            raise ConfigError.of([Problem(path, line, what, "write the character itself")])
        if match["colon"] and not lists:
            key = json.loads(match[0][: -len(match["colon"])])
            where = (*opened[1:], key)
            if where in lines:
                what = f'the key "{key}" occurs twice, first in line {lines[where]}'
                raise ConfigError.of([Problem(path, line, what, "remove one of them")])
            lines[where] = line
        elif match[0] in "{[":
            opened.append(key)
            lists += match[0] == "["
        elif match[0] in "}]":
            opened.pop()
            lists -= match[0] == "]"
    return lines
