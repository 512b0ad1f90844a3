"""What the numbers of an error text count: each takes its meaning from the nearest word that has one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import NamedTuple

from claude_code_proxy.core.errors.overflow_terms import (
    AFTER_LIMIT,
    ASKED,
    BEFORE_LIMIT,
    BREAKS,
    EXCEED,
    HAS,
    LOOSE,
    OTHER,
    OUTPUT,
    OVER,
    PROMPT,
    SUMMED,
    TOKENS,
    UNITS,
    WINDOWS,
    noun_of,
)
from claude_code_proxy.core.errors.words import END, Word


class Counts(NamedTuple):
    """Token counts as far as a text gives them, else 0. `excess` is by how much the prompt is too long."""

    prompt: int = 0
    output: int = 0
    limit: int = 0
    excess: int = 0


_NOTHING = Word("")
_LOOK_BACK = 10  # words before a number that can say what it counts
_LOOK_AHEAD = 6
_MIN_BARE_LIMIT = 4096  # a smaller number that stands alone and without "tokens" is a code
ROLES = ("prompt", "part", "asked", "output", "limit", "by", "")
"""What a number counts: the prompt, a part of it, what was asked for in all, the output limit, the limit,
what is too much; "": some tokens."""


def count_tokens(words: Sequence[Word]) -> Counts:
    """The token counts among the numbers of a text."""
    found: dict[str, list[int]] = {role: [] for role in ROLES}
    bare = True
    for place, word in enumerate(words):
        role = _role(words, place) if word.value > 1 else None
        if role == "term":
            role = None if any(word.value in values for values in found.values()) else "prompt"
        if role is not None:
            found[role].append(word.value)
            bare = bare and not (place + 1 < len(words) and noun_of(words[place + 1].text) == TOKENS)
    prompt = sum(found["part"]) or max(found["prompt"] or found["asked"] or found[""], default=0)
    limit = next(iter(found["limit"]), 0)
    if not limit and prompt:
        limit = max((value for value in found["asked"] + found[""] if value < prompt), default=0)
    if not prompt and limit:
        prompt = max((value for value in found["limit"] if value > limit), default=0)
    excess = max(found["by"], default=0)
    if limit and not prompt and not excess and bare and limit < _MIN_BARE_LIMIT:
        limit = 0
    if limit and excess and not prompt:
        prompt = limit + excess
    return Counts(prompt, max(found["output"], default=0), limit, excess)


def _role(words: Sequence[Word], place: int) -> str | None:
    """What a number counts: one of `ROLES`; None where it counts something else.

    "term" is the first number of a comparison: the prompt, unless the text says before what it counts.
    """
    around = [_NOTHING, _NOTHING, *words[max(place - 2, 0) : place + 3], _NOTHING, _NOTHING]
    here = 2 + min(place, 2)
    (earlier, before_that), (left, _), _, (right, _), (_, after_that) = around[here - 2 : here + 3]
    if left in (">", ">=", "<=", "vs", "versus") or (left == "/" and before_that > 1):
        return "limit"
    if left == "," and before_that in (0, 1) and place > 2 and words[place - 3].text in "([":
        return "limit"
    if left == "+" and before_that > 1:
        return "output"
    if (left == "-" and (before_that > 1 or earlier == "(")) or (left, right) == ("<", ">"):
        return None
    if right in (">", ">=", "+", "vs", "versus") or (right == "/" and after_that > 1):
        return "term"
    after = _role_after(words, place)
    if after not in ("", "part"):
        return after
    before = _role_before(words, place)
    if after == "part":
        return "limit" if before == "limit" else "part"
    named = noun_of(right) == TOKENS or (left in ("=", ":", "(") and noun_of(earlier) == TOKENS)
    return before or ("" if named else None)


def _role_after(words: Sequence[Word], place: int) -> str | None:
    role: str | None = ""
    prepositions = False
    ahead = words[place + 1 : place + 1 + _LOOK_AHEAD]
    for word, following in zip_longest(ahead, ahead[1:], fillvalue=_NOTHING):
        text, noun = word.text, noun_of(word.text)
        if text in UNITS:
            return None
        if following.text in (":", "="):  # the name of the next number
            break
        if noun == TOKENS or text in ("-", "total", "the", "new"):
            continue
        if text in ("in", "of", "from", "for"):
            prepositions = True
        elif text in AFTER_LIMIT and not prepositions and not role:
            return "limit"
        elif text in OVER or text in ("too", "more"):
            return role or "by"
        elif noun == PROMPT:
            role = "part" if prepositions else "prompt"
        elif noun == OUTPUT:
            return "output"
        elif noun == OTHER:
            role = "part" if prepositions and text in SUMMED else None
        elif noun != LOOSE:
            break
    return role


def _role_before(words: Sequence[Word], place: int) -> str | None:
    role = ""
    for back in range(place - 1, max(place - 1 - _LOOK_BACK, -1), -1):
        text, value = words[back]
        noun = noun_of(text)
        if text == END or value > 1:
            break
        if role:  # "maximum input length": the noun is known, the bound may stand before it
            if text in BEFORE_LIMIT:
                return "limit"
            if text in BREAKS or text in ":()" or noun in (OUTPUT, OTHER) or text in HAS:
                break
        elif text == "by":
            return "by"
        elif text in EXCEED and words[back + 1].text in (":", "("):
            return "asked"
        elif text in WINDOWS:
            return "asked" if back and words[back - 1].text in ("requested", "actual", "current") else "limit"
        elif text in BEFORE_LIMIT:
            return "limit"
        elif text in ASKED or noun == LOOSE:
            return "asked"
        elif noun == OUTPUT:
            return "output"
        elif noun == OTHER:
            return None
        elif noun == PROMPT:
            role = "prompt"
    return role
