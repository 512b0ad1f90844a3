"""Changing the text of cc-proxy.json in place, so that comments and layout stay as their author made them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from claude_code_proxy.config.problems import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

_COMMENT = re.compile(r'(?P<string>"(?:[^"\\\n]|\\.)*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_TOKEN = re.compile(r'(?P<string>"(?:[^"\\\n]|\\.)*")(?P<colon>\s*:\s*)?|(?P<bracket>[{}\[\]])')
_INDENT = "  "


class CannotEditError(Exception):
    """The text has no place for the change; says why."""


def new_text(entries: Mapping[str, Mapping[str, Any]]) -> str:
    """A whole file with these providers."""
    return json.dumps(entries, indent=2, ensure_ascii=False) + "\n"


def with_provider(text: str, name: str, entry: Mapping[str, Any]) -> str:
    """The text with one more provider at its end. Raises `CannotEditError`."""
    plain = _without_comments(text)
    places = _places(plain)
    if (name,) in places:
        raise CannotEditError(f'"{name}" already exists (hint: ccproxy edit)')
    if ("base_url",) in places:
        raise CannotEditError(
            'the file is one provider alone (hint: put it into {"NAME": {...}} with: ccproxy edit)'
        )
    end = plain.rindex("}")
    last = len(plain[:end].rstrip())  # after the last thing that is no comment
    comma = "" if plain[last - 1] in "{," else ","
    body = json.dumps(entry, indent=2, ensure_ascii=False).replace("\n", "\n" + _INDENT)
    added = f"{_INDENT}{json.dumps(name, ensure_ascii=False)}: {body}\n"
    between = text[last:end].rstrip()
    return f"{text[:last]}{comma}{between}\n{added}{text[end:]}"


def with_default(text: str, name: str) -> str:
    """The text with `name` as the only default. Raises `CannotEditError`."""
    plain = _without_comments(text)
    places = _places(plain)
    names = [key[0] for key in places if len(key) == 1]
    if ("base_url",) in places:
        raise CannotEditError("the file has one provider only, which is always the one")
    if (name,) not in places:
        hint = did_you_mean(name, names) or f"it has {', '.join(names)}"
        raise CannotEditError(f'there is no provider "{name}" (hint: {hint})')
    changes: list[tuple[int, int, str]] = []
    for key, value_at in places.items():
        if len(key) == 2 and key[1] == "default":
            value = re.compile(r"[a-z]+").match(plain, value_at)
            end = value.end() if value else value_at
            changes.append((value_at, end, "true" if key[0] == name else "false"))
    if (name, "default") not in places:
        inside = places[(name,)] + 1  # after its "{"
        lead = re.compile(r"\s*").match(plain, inside)
        assert lead is not None
        changes.append((inside, inside, f'{lead[0] or " "}"default": true,'))
    for start, end, new in sorted(changes, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _without_comments(text: str) -> str:
    """The text with comments as spaces: every place in it is the same place in the original."""
    return _COMMENT.sub(lambda m: m[0] if m["string"] else re.sub(r"[^\n]", " ", m[0]), text)


def _places(plain: str) -> dict[tuple[str, ...], int]:
    """Where the value of each key begins, by the path of keys; keys inside lists do not count."""
    places: dict[tuple[str, ...], int] = {}
    opened: list[str] = []
    lists = 0
    key = ""
    for match in _TOKEN.finditer(plain):
        if match["colon"] is not None and not lists:
            key = json.loads(match["string"])
            places[(*opened[1:], key)] = match.end()
        elif match["bracket"] in ("{", "["):
            opened.append(key)
            lists += match["bracket"] == "["
        elif match["bracket"] in ("}", "]"):
            opened.pop()
            lists -= match["bracket"] == "]"
    return places
