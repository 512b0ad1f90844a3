"""Reading an error text word by word, in time linear in its length, whatever it holds."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

# Possessive quantifiers: what was read is not read again.
_TOKEN = re.compile(
    r"(?P<number>(?:\d{1,3}(?:[,_.' \u2019\u00a0\u202f]\d{3})++(?!\d)|\d++(?:\.\d++)?)"
    r"(?: ?[kKmM\u5343\u4e07](?![A-Za-z\d]))?)(?![A-Za-z\d])"
    r"|(?P<name>[A-Za-z\d_$]++(?:[-./@]++[A-Za-z\d_]++|\[[A-Za-z\d_]{0,40}\]|['\u2019][a-z]++)*+)"
    r"|(?P<chinese>[\u3400-\u9fff]++)"
    r"|(?P<sign>=>|>=|<=|[-<>+=:,()\[\]/\u2264\u2265\uff0c\uff1a\uff08\uff09])"
    r"|(?P<end>['\"](?:message|detail|msg)['\"] ?:|[.;!?\n\u3002\uff1b\uff01\uff1f]++)"
)
_GROUPING = re.compile(r"[,_' \u2019\u00a0\u202f]")
_PUNCTUATION = re.compile(r"[-_/@$]+")
_POINTS = re.compile(r"\d{1,3}(?:\.\d{3})++")
_FACTORS = {"k": 1000, "m": 1_000_000, "\u5343": 1000, "\u4e07": 10_000}
_SIGNS = {"\u2264": "<=", "\u2265": ">=", "\uff0c": ",", "\uff1a": ":", "\uff08": "(", "\uff09": ")"}
END = "."
"""The word that stands for the end of a sentence."""


class Word(NamedTuple):
    """A lower-case word, a sign, `END`, the path of a field (`tools[3].function.name`), or a number.

    `value` is what a number says ("128,000", "128 000" and "128k" say 128000), and -1 for all else.
    """

    text: str
    value: int = -1


def read_words(text: str, whole: Collection[str], chinese: re.Pattern[str]) -> list[Word]:
    """The words of `text`.

    Names fall into their parts at `_` and `-`, except those in `whole`. `chinese` finds the words of a text
    that has no spaces. Names of models and versions, which hold digits, are left out.
    """
    words: list[Word] = []
    for found in _TOKEN.finditer(text):
        token = found[0]
        if found.lastgroup == "number":
            words.append(Word("#", _value(token)))
        elif found.lastgroup == "name":
            words += map(Word, _names(token, whole))
        elif found.lastgroup == "chinese":
            words += map(Word, chinese.findall(token))
        else:
            words.append(Word(_SIGNS.get(token, token) if found.lastgroup == "sign" else END))
    return words


def _value(token: str) -> int:
    factor = _FACTORS.get(token[-1].lower(), 1)
    digits = _GROUPING.sub("", token if factor == 1 else token[:-1])[:24]
    if _POINTS.fullmatch(digits):
        digits = digits.replace(".", "")
    if "." in digits:
        return -1 if factor == 1 else round(float(digits) * factor)  # a version, or a part of a thousand
    return int(digits) * factor


def _names(token: str, whole: Collection[str]) -> Iterator[str]:
    name = token.lower()
    if "'" in name or "\u2019" in name:
        name = name.replace("\u2019", "'").removesuffix("'s")
    if name[0].isdigit() or ("-" in name and any(letter.isdigit() for letter in name)):
        return
    if "[" in name or "." in name:
        rest, _, last = token.rpartition(".")
        if last[:1].isupper() and "[" not in name:  # two sentences without a space between them
            yield from (*_names(rest, whole), END, *_names(last, whole))
        else:
            yield name
    elif name in whole:
        yield name
    else:
        yield from (part for part in _PUNCTUATION.split(name) if part)


def _strings(value: Any, *, names: bool) -> Iterator[str]:
    """Every string in a JSON value; with the `names` of members or without them, which are the format's."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            if names:
                pending.extend(item)
            pending.extend(item.values())
        elif isinstance(item, list | tuple):
            pending.extend(item)


_STEP = 12
_LEAST_QUOTED = 3
_MIN_QUOTED = 2 * _STEP  # any common piece this long holds a whole step of the request


def own_words(message: str, sent: Any) -> str:
    """`message` without the pieces that also stand in a string of the request `sent`.

    An honest upstream repeats what it refuses: what a caller wrote must not read as a fact about the model.
    """
    places = {message[start : start + _STEP]: start for start in range(len(message) - _STEP + 1)}
    ours = bytearray(len(message))
    for text in _strings(sent, names=True):
        if _STEP <= len(text) <= len(message) and not text.isidentifier():
            for form in {text, json.dumps(text)[1:-1], repr(text)[1:-1]}:
                if (start := message.find(form)) >= 0:
                    ours[start : start + len(form)] = b"\1" * len(form)
        for offset in range(0, len(text) - _STEP + 1 if len(text) >= _MIN_QUOTED else 0, _STEP):
            start = places.get(text[offset : offset + _STEP], -1)
            if start >= 0 and not ours[start]:
                first, last = _common(message, text, start, offset)
                if last - first >= _MIN_QUOTED:
                    ours[first:last] = b"\1" * (last - first)
    return "".join(" " if quoted else letter for letter, quoted in zip(message, ours, strict=True))


def callers_own(message: str, sent: Any, trigger: re.Pattern[str], numbers: Collection[int]) -> bool:
    """Whether what `message` seems to say may be the caller's words, however short they are.

    That is so where a string of the request `sent` that stands in `message` has a word of `trigger`, or one
    anywhere has one of `numbers`.
    """
    written = [re.escape(f"{number:,}").replace(",", "[,_.' ]?") for number in numbers]
    digits = re.compile(rf"(?<!\d)(?:{'|'.join(written)})(?!\d)") if written else None
    for text in _strings(sent, names=False):
        if digits is not None and digits.search(text):
            return True
        if _LEAST_QUOTED <= len(text) < _STEP and text in message and trigger.search(text):
            return True
    return False


def _common(message: str, text: str, start: int, offset: int) -> tuple[int, int]:
    """Where the piece of `message` begins and ends that is the same in `text`, around the two places."""
    first, before = start, offset
    while first and before and message[first - 1] == text[before - 1]:
        first, before = first - 1, before - 1
    last, after = start + _STEP, offset + _STEP
    while last < len(message) and after < len(text) and message[last] == text[after]:
        last, after = last + 1, after + 1
    return first, last
