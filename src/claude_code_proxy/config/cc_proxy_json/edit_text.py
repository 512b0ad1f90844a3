"""Changing the text of cc-proxy.json in place: comments, order and layout stay as their author made them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from claude_code_proxy.config.problems import did_you_mean

_COMMENT = re.compile(r'(?P<string>"(?:[^"\\\n]|\\.)*")|//[^\n]*|/\*(?:.*?\*/|.*)', re.DOTALL)
_TOKEN = re.compile(r'(?P<string>"(?:[^"\\\n]|\\.)*")(?P<colon>\s*:\s*)?|(?P<bracket>[{}\[\]])')
_SCALAR = re.compile(r'"(?:[^"\\\n]|\\.)*"|[^\s,{}\[\]]*')
_REST_OF_LINE = re.compile(r"[ \t]*(//[^\n]*)?\n?")
_INDENT = "  "


class CannotEditError(Exception):
    """The text has no place for the change; says why, and `hint` what to do."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what + (f" (hint: {hint})" if hint else ""))
        self.what = what
        self.hint = hint


class _Place(NamedTuple):
    """Where a key begins, where its value begins, and where that ends."""

    key: int
    value: int
    end: int


def new_text(entries: Mapping[str, Mapping[str, Any]]) -> str:
    """A whole file with these providers."""
    return json.dumps(entries, indent=2, ensure_ascii=False) + "\n"


def with_provider(text: str, name: str, entry: Mapping[str, Any]) -> str:
    """The text with one more provider at its end. Raises `CannotEditError`."""
    plain = _without_comments(text)
    places = _places(plain)
    if (name,) in places:
        raise CannotEditError(f'"{name}" already exists', "ccproxy edit")
    if ("base_url",) in places:
        raise CannotEditError(
            "the file is one provider alone", 'put it into {"NAME": {...}} with: ccproxy edit'
        )
    body = json.dumps(entry, indent=2, ensure_ascii=False).replace("\n", "\n" + _INDENT)
    added = f"\n{_INDENT}{json.dumps(name, ensure_ascii=False)}: {body}"
    return _appended(text, plain, plain.rindex("}"), added, "\n")


def without_provider(text: str, name: str) -> str:
    """The text without a provider and what stands behind it on its last line. Raises `CannotEditError`."""
    plain = _without_comments(text)
    place = _place_of(name, _places(plain))
    start, end = place.key, place.end
    comma = re.compile(r"\s*,").match(plain, end)
    before = plain[:start].rstrip()
    if comma is not None:
        end = comma.end()
    elif before.endswith(","):  # it was the last: the one before it is that now
        text = text[: len(before) - 1] + text[len(before) :]
        start, end = start - 1, end - 1
    line = text.rfind("\n", 0, start) + 1
    rest = _REST_OF_LINE.match(text, end)
    if not text[line:start].strip() and rest is not None and (rest[0].endswith("\n")):
        start, end = line, rest.end()
    return text[:start] + text[end:]


def with_default(text: str, name: str) -> str:
    """The text with `name` as the only default. Raises `CannotEditError`."""
    plain = _without_comments(text)
    places = _places(plain)
    if ("base_url",) in places:
        raise CannotEditError("the file has one provider only, which is always the one")
    place = _place_of(name, places)
    text_after = text
    marks = [(at, key[0]) for key, at in places.items() if len(key) == 2 and key[1] == "default"]
    if (name, "default") not in places:
        text_after = _appended(text, plain, place.end - 1, _lead(plain, place.value) + '"default": true', "")
        moved = len(text_after) - len(text)
    else:
        moved = 0
    for at, owner in sorted(marks, reverse=True):
        shift = moved if at.value > place.end else 0
        value = "true" if owner == name else "false"
        text_after = text_after[: at.value + shift] + value + text_after[at.end + shift :]
    return text_after


def _place_of(name: str, places: Mapping[tuple[str, ...], _Place]) -> _Place:
    if (name,) not in places:
        names = [key[0] for key in places if len(key) == 1]
        hint = did_you_mean(name, names) or f"it has {', '.join(names)}"
        raise CannotEditError(f'there is no provider "{name}"', hint)
    return places[(name,)]


def _lead(plain: str, opened: int) -> str:
    """The white space before each key of the object that is opened there."""
    lead = re.compile(r"\s*").match(plain, opened + 1)
    return (lead[0] if lead else "") or " "


def _appended(text: str, plain: str, end: int, added: str, after: str) -> str:
    """The text with `added` as the last member of the object that ends at `end`, and `after` behind it."""
    last = len(plain[:end].rstrip())  # after the last thing that is no comment
    comma = "" if plain[last - 1] in "{," else ","
    comments = text[last:end].rstrip()
    if "//" in comments and not added.startswith("\n"):
        added = "\n" + _INDENT * 2 + added.lstrip()
    tail = after or text[last + len(comments) : end]
    return f"{text[:last]}{comma}{comments}{added}{tail}{text[end:]}"


def _without_comments(text: str) -> str:
    """The text with comments as spaces: every place in it is the same place in the original."""
    return _COMMENT.sub(lambda m: m[0] if m["string"] else re.sub(r"[^\n]", " ", m[0]), text)


def _places(plain: str) -> dict[tuple[str, ...], _Place]:
    """Where each key and its value are, by the path of keys; keys inside lists do not count."""
    places: dict[tuple[str, ...], _Place] = {}
    opened: list[tuple[str, ...]] = []
    lists = 0
    path: tuple[str, ...] = ()
    for match in _TOKEN.finditer(plain):
        if match["colon"] is not None and not lists:
            path = (*(opened[-1] if opened else ()), json.loads(match["string"]))
            scalar = _SCALAR.match(plain, match.end())
            places[path] = _Place(match.start(), match.end(), scalar.end() if scalar else match.end())
        elif match["bracket"] in ("{", "["):
            opened.append(path)
            lists += match["bracket"] == "["
        elif match["bracket"] in ("}", "]"):
            path = opened.pop()
            lists -= match["bracket"] == "]"
            if path in places and not lists:
                places[path] = places[path]._replace(end=match.end())
            path = path[:-1]
    return places
