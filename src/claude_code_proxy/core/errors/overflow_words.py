"""The grammar of "the prompt does not fit": what an error text is about, what exceeds what, and its numbers.

Servers word it in a hundred ways, and word other limits alike: the length of one field, a number of tools,
tokens per minute, the size of a body, the output limit. So each sentence is read for its subject, a word of
excess and its object, and each number for the nearest word that says what it counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from claude_code_proxy.core.errors.overflow_numbers import Counts, count_tokens
from claude_code_proxy.core.errors.overflow_terms import (
    BOUNDS,
    BREAKS,
    CHINESE,
    EXCEED,
    FEWER,
    LENGTHS,
    LOOSE,
    MUST,
    NOT,
    OTHER,
    OUTPUT,
    OVER,
    PER,
    PROMPT,
    RATES,
    THAN,
    TIMES,
    TOKENS,
    TOO,
    UNITS,
    WHOLE,
    WINDOWS,
    noun_of,
)
from claude_code_proxy.core.errors.words import END, Word, read_words

_FAR = 40  # words; a subject or object does not reach further


def read_overflow(message: str) -> Counts | None:
    """What `message` says of a prompt that does not fit, or None where it says nothing of that kind."""
    words = read_words(message, WHOLE, CHINESE)
    if _is_rate([word.text for word in words]):
        return None
    counts = count_tokens(words)
    sentences = list(_sentences(words))
    if any(_says_too_much([word.text for word in sentence]) for sentence in sentences):
        return counts
    nouns = {noun_of(word.text) for word in words}
    limited = any(_is_limit_of_prompt(sentence) for sentence in sentences)
    if counts.limit and counts.prompt:
        too_much = counts.prompt + counts.output > counts.limit
        return counts if too_much and (limited or (PROMPT in nouns and OTHER not in nouns)) else None
    return counts if limited and OUTPUT not in nouns else None


def _sentences(words: Sequence[Word]) -> Iterator[list[Word]]:
    sentence: list[Word] = []
    for word in words:
        if word.text == END:
            yield sentence
            sentence = []
        else:
            sentence.append(word)
    yield sentence


def _is_rate(words: Sequence[str]) -> bool:
    """Whether the text is about tokens per minute and the like."""
    pairs = set(pairwise(words))
    return (
        not RATES.isdisjoint(words)
        or ("please", "wait") in pairs
        or any(before in PER and after in TIMES for before, after in pairs)
    )


# --- sentences ----------------------------------------------------------------------------------------
def _says_too_much(sentence: list[str]) -> bool:
    """Whether the subject of a sentence is the prompt, and what is said of it that it is too much."""
    for start, stop in _excesses(sentence):
        after = _object(sentence, stop)
        if sentence[stop - 1] in ("many", "much", "of", "enough", "insufficient"):
            if (
                OTHER not in after
                and OUTPUT not in after
                and not after.isdisjoint((PROMPT, TOKENS, "window"))
            ):
                return True
        elif _fits_together(_subject(sentence, start), after):
            return True
    return False


def _excesses(sentence: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where a sentence says "too much": the first word, and the one after the last."""
    for place, word in enumerate(sentence):
        before = sentence[place - 1] if place else ""
        after = sentence[place + 1] if place + 1 < len(sentence) else ""
        if (
            word in EXCEED
            or (word in OVER and before in ("is", "are", "was", "tokens", "goes", "went", "grown"))
            or (word in ("reached", "hit") and not WINDOWS.isdisjoint(sentence))
        ):
            yield place, place + 1
        elif (
            (word in THAN and after == "than")
            or (word == "too" and after in TOO | {"many", "much"})
            or (word, after) in (("out", "of"), ("not", "enough"))
        ):
            yield place, place + 2
        elif word == "insufficient" or (
            word in ("fit", "fits") and not NOT.isdisjoint(sentence[max(place - _FAR, 0) : place])
        ):
            yield place, place + 1


def _subject(sentence: Sequence[str], start: int) -> str:
    """What the words before place `start` are about, as far back as they belong to it."""
    nouns: list[str] = []
    joined = False
    inside = 0
    for place in range(start - 1, max(start - 1 - _FAR, -1), -1):
        word = sentence[place]
        if word in ")(":
            inside += 1 if word == ")" else -1
        elif inside > 0:
            continue
        elif word in BREAKS or word == ":":
            if nouns:
                break
        elif word in ("and", "+", "plus"):
            joined = bool(nouns)
        elif found := noun_of(word):
            if not nouns and word in WINDOWS:
                return PROMPT
            bound = place and sentence[place - 1] in ("max", "maximum")
            nouns.append(OUTPUT if found == TOKENS and bound else found)
    if OUTPUT in nouns:
        return PROMPT if joined and not {PROMPT, TOKENS}.isdisjoint(nouns) else OUTPUT
    if not nouns or nouns[-1] == TOKENS:
        return nouns[-1] if nouns else ""
    return next((name for name in (OTHER, PROMPT, TOKENS) if name in nouns), LOOSE)


def _object(sentence: Sequence[str], stop: int) -> set[str]:
    """What the words from place `stop` on are about: kinds of nouns, "window" and "unit"."""
    found: set[str] = set()
    for place in range(stop, min(stop + _FAR, len(sentence))):
        word = sentence[place]
        if word in BREAKS or word in EXCEED:
            break
        if word in WINDOWS or (word == "model" and sentence[place + 1 : place + 2] == ["length"]):
            found.add("window")
        if word in UNITS:
            found.add("unit")
        if noun := noun_of(word):
            found.add(noun)
    return found


def _fits_together(subject: str, after: set[str]) -> bool:
    if subject == OUTPUT or (OTHER in after and subject != TOKENS):
        return False
    if "window" in after or subject in (PROMPT, TOKENS):
        return subject != TOKENS or "unit" not in after
    return subject != OTHER and OUTPUT not in after and not after.isdisjoint((PROMPT, TOKENS))


def _is_limit_of_prompt(sentence: Sequence[Word]) -> bool:
    """Whether a sentence names a limit of the prompt's length: "maximum context length is 8192"."""
    words = [word.text for word in sentence]
    nouns = {noun_of(word) for word in words}
    if OTHER in nouns or LENGTHS.isdisjoint(words):
        return False
    required = any(
        (first in FEWER and second == "than") or (first in MUST and second in ("in", "be"))
        for first, second in pairwise(words)
    )
    if PROMPT not in nouns and not (required and TOKENS in nouns and OUTPUT not in nouns):
        return False
    bounded = required or not BOUNDS.isdisjoint(words)
    return ("only" in words or "<=" in words or bounded) and any(word.value > 1 for word in sentence)
