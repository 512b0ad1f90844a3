"""Token counts: the estimate of `core.tokens`, or a real tokenizer where the settings ask for one.

The tokenizer is o200k_base, that of OpenAI's models. Other vendors have their own, which nobody ships; what
they count is learned from their answers in either case (`core.tokens.calibration`).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib import import_module

from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.config.settings import TokenCounts
from claude_code_proxy.core.tokens.estimate import TextCounts
from claude_code_proxy.core.tokens.text_features import COUNTED, packed

PACKAGE = "bpe_openai"
"""Ships its tables; `tiktoken` would fetch them over the network at its first use."""
_PIECE = 40_000
"""Characters counted at once: the package refuses texts of more than 200,000 tokens (five per character)."""


def text_counts(kind: TokenCounts) -> TextCounts:
    """The counter of one server. Raises `ConfigError` when the extra `[tokens]` is wanted and missing."""
    if kind == "estimate":
        return TextCounts()
    count = exact_counter()
    return TextCounts(lambda text: packed(COUNTED, count(text)))


def exact_counter(encoding: str = "o200k_base") -> Callable[[str], int]:
    """Counts the tokens of a text, one too many at most for every 40,000 characters.

    Loading the tokenizer takes about half a second. Raises `ConfigError` when it is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the package's own way to open its tables
            encode = import_module(PACKAGE).get_encoding(encoding).encode_ordinary
    except ImportError:
        hint = "pip install 'keyless-claude-proxy[tokens]'"
        raise ConfigError(f"token_counts: exact needs the extra [tokens]: {hint}") from None

    def count(text: str) -> int:
        text = text.encode("utf-8", errors="replace").decode()  # no lone surrogates
        pieces = (text[start : start + _PIECE] for start in range(0, len(text), _PIECE))
        return sum(len(encode(piece)) for piece in pieces)

    return count
