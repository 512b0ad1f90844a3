"""What of a text decides how many tokens it has: letters, digits, punctuation and scripts, counted fast.

The counts of one or many texts are packed into one integer of 32 bits for each, so that they are added up and
remembered like a number. A tokenizer is a row of weights for them; the rows here are least-squares fits to
public tokenizers over prose in nineteen languages, code, JSON schemas, CSV, logs and hex.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from operator import mul

_PAIRS = (b"aA", b"00", b"000", b" .", b"..", b".0")  # aA is a word inside a camelCase name
_SINGLE = b"A0.n"
_SCRIPTS = b"lywbkhgoe"
_THAI = (b"\xe0\xb8", b"\xe0\xb9")
_DEVANAGARI = (b"\xe0\xa4", b"\xe0\xa5")
_TEXT = 2 + len(_PAIRS) + len(_SINGLE) + len(_SCRIPTS) + 3
TEMPLATE, COUNTED, FIXED, MEDIA = range(_TEXT, _TEXT + 4)
"""Beside the features of texts: one for each request, texts that a real tokenizer counted, what frames
messages and tools, and images and files; the last three in tokens."""
SIZE = _TEXT + 4
_LAYOUT = struct.Struct(f"<{SIZE}I")
_NO_SCRIPTS = (0,) * (len(_SCRIPTS) + 3 + 4)

TOKENIZERS: tuple[tuple[float, ...], ...] = (
    # words, lower case, aA, 00, 000, " .", "..", ".0", upper case, digits, punctuation, line ends
    (
        0.5, 0.1, 1.24, -1.63, -1.71, 0.64, -0.57, -0.04, 0.14, 1.7, 0.5, 1.29,
        0.53, 0.28, 0.44, 0.36, 0.67, 0.79, 0.7, 0.7, 3.2, 0.34, 0.4, 0.38,
    ),
    (
        0.51, 0.11, 1.3, -1.81, -1.69, 0.67, -0.49, 0.07, 0.13, 1.77, 0.42, 1.34,
        1.44, 0.51, 1.17, 0.89, 0.97, 1.13, 1.16, 0.7, 3.2, 1.2, 0.96, 1.49,
    ),
    (
        0.43, 0.12, 1.21, -1.88, -1.66, 0.68, -0.6, 0.0, 0.15, 1.8, 0.46, 1.28,
        0.63, 0.33, 1.17, 0.44, 0.61, 0.8, 0.73, 0.7, 3.2, 0.62, 0.46, 1.48,
    ),
    (
        0.59, 0.1, 1.18, -1.65, -0.81, 0.68, -0.54, 0.3, 0.12, 2.0, 0.42, 1.26,
        0.07, 0.38, 0.44, 0.48, 0.59, 0.65, 0.79, 1.6, 2.0, 1.12, 0.56, 1.23,
    ),
    (
        0.46, 0.16, 1.0, -1.73, -1.47, 0.89, -0.47, 0.03, 0.26, 1.69, 0.45, 0.66,
        1.1, 0.34, 0.55, 0.46, 0.64, 0.61, 0.84, 0.7, 3.2, 0.66, 0.36, 0.53,
    ),
    (
        0.49, 0.13, 1.01, -1.19, -1.03, 0.94, -0.83, -0.22, 0.17, 1.9, 0.66, 1.22,
        0.35, 0.29, 0.49, 0.4, 0.4, 0.68, 0.81, 0.7, 2.62, 0.41, 0.37, 0.54,
    ),
    (
        0.49, 0.1, 1.09, -1.07, -1.22, 0.64, -1.38, -0.56, 0.17, 1.89, 0.91, 1.59,
        0.42, 0.27, 0.53, 0.36, 0.4, 0.65, 0.64, 0.7, 2.24, 0.28, 0.31, 0.26,
    ),
)  # fmt: skip
"""Each feature's tokens: o200k_base, cl100k_base, Llama 3, Qwen 3, DeepSeek V3, Gemma 2, Gemma 3.

The ASCII features overlap, so that some weights are below zero. After them: Latin with accents, Greek and
Cyrillic, Hebrew, Arabic, kana, Han, Hangul, typographic characters, emoji, Devanagari, Thai, other Indic
scripts.
"""


def _class_table() -> bytes:
    """Every UTF-8 byte to a letter for its class; a character counts by its first byte."""
    table = bytearray(b"." * 256)
    for first, last, letter in (
        ("a", "z", "a"),
        ("A", "Z", "A"),
        ("0", "9", "0"),
        ("\t", "\t", " "),
        (" ", " ", " "),
        ("\n", "\r", "n"),
    ):
        for byte in range(ord(first), ord(last) + 1):
            table[byte] = ord(letter)
    for start, letter in (
        (0x80, "c"),  # continuation
        (0xC2, "l"),  # Latin with accents
        (0xCE, "y"),  # Greek, Cyrillic, Armenian
        (0xD6, "w"),  # Hebrew
        (0xD8, "b"),  # Arabic
        (0xE0, "i"),  # Indic scripts, Thai
        (0xE1, "l"),  # Vietnamese
        (0xE2, "o"),  # typographic characters, arrows, box drawing
        (0xE3, "k"),  # kana, CJK punctuation
        (0xE4, "h"),  # Han
        (0xEA, "g"),  # Hangul
        (0xEE, "k"),  # full-width forms
        (0xF0, "e"),  # emoji
    ):
        table[start:] = letter.encode() * (256 - start)
    return bytes(table)


_CLASSES = _class_table()
# A second table for the bytes themselves: letters, and everything else.
_LETTERS = bytes(ord("a") if letter in b"aA" else ord(" ") for letter in _CLASSES)


def features(text: str) -> int:
    """The packed counts of `text`."""
    raw = text.encode("utf-8", errors="replace")
    classes = raw.translate(_CLASSES)
    words = (b" " + raw).translate(_LETTERS).count(b" a")
    rest = classes.translate(None, b"a")  # a third of most texts: each further pass is shorter
    return int.from_bytes(
        _LAYOUT.pack(
            words,
            len(classes) - len(rest),
            *map(classes.count, _PAIRS),
            *map(rest.count, _SINGLE),
            *(_scripts(raw, rest) if len(raw) != len(text) else _NO_SCRIPTS),
        ),
        "little",
    )


def _scripts(raw: bytes, rest: bytes) -> tuple[int, ...]:
    leads = rest.translate(None, b"A0. nc")
    indic = leads.count(b"i")
    devanagari = sum(map(raw.count, _DEVANAGARI)) if indic else 0
    thai = sum(map(raw.count, _THAI)) if indic else 0
    return (*map(leads.count, _SCRIPTS), devanagari, thai, indic - devanagari - thai, 0, 0, 0, 0)


def packed(feature: int, count: int) -> int:
    """`count` of one feature, to be added to others."""
    return count << (32 * feature)


def unpacked(counts: int) -> tuple[int, ...]:
    """The count of each feature."""
    return _LAYOUT.unpack(counts.to_bytes(_LAYOUT.size, "little"))


def weighed(counts: Sequence[int], weights: Sequence[float]) -> float:
    """The tokens of unpacked counts."""
    tokens: float = sum(map(mul, counts, weights))
    return max(tokens, 0.0)


DEFAULT = (*TOKENIZERS[0], 0.0, 1.0, 1.0, 1.0)
"""What a model's weights are before it taught any: OpenAI's."""


def default_tokens(counts: int) -> float:
    """The tokens of packed counts by the default weights."""
    return weighed(unpacked(counts), DEFAULT)
