"""How models count: their weights for the features of texts, learned from the token counts that they report.

A linear regression, updated with each report (a Kalman filter). Before any, a model counts as OpenAI's do and
may differ from them in the ways in which public tokenizers differ: who counts Hindi like Qwen probably counts
Thai like Qwen. So one or two reports are enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt
from operator import mul

from claude_code_proxy.core.bounded_map import BoundedMap
from claude_code_proxy.core.tokens.text_features import (
    DEFAULT,
    MEDIA,
    SIZE,
    TEMPLATE,
    TOKENIZERS,
    unpacked,
    weighed,
)

_Matrix = list[list[float]]

_NOISE = 0.025
"""Of a count: what no weights explain."""
_NOISE_TOKENS = 15.0
_MOST_DEVIATIONS = 4.0
"""A report that is less likely than so many standard deviations counts as one that is as likely."""
_FORGOTTEN = 0.02
"""How much of what is not known comes back with each report, since a model may change behind its name."""
_GOOD_ENOUGH = 0.01
"""An estimate that is as near as this teaches nothing; that saves 0.1 ms for most requests."""


@dataclass(slots=True)
class _Model:
    weights: Sequence[float]
    covariance: _Matrix
    counts: Sequence[int]
    tokens: float
    """The last report, and what it was about: the next request of a conversation adds to it."""

    def learn(self, counts: Sequence[int], actual: float) -> None:
        """Learn from a report of `actual` tokens for `counts`."""
        shared = [sum(map(mul, row, counts)) for row in self.covariance]
        variance = sum(map(mul, shared, counts)) + (_NOISE * actual) ** 2 + _NOISE_TOKENS**2
        most = _MOST_DEVIATIONS * sqrt(variance)
        surprise = min(max(actual - sum(map(mul, self.weights, counts)), -most), most) / variance
        self.weights = [weight + surprise * share for weight, share in zip(self.weights, shared, strict=True)]
        self.covariance = [
            [
                (1 - _FORGOTTEN) * (value - share * other / variance) + _FORGOTTEN * first
                for value, other, first in zip(row, shared, firsts, strict=True)
            ]
            for row, share, firsts in zip(self.covariance, shared, _PRIOR, strict=True)
        ]


def _prior() -> _Matrix:
    """The covariance of the weights of a model that nothing is known of."""
    base, others = DEFAULT, [(*row, *DEFAULT[TEMPLATE:]) for row in TOKENIZERS[1:]]
    away = [[weight - default for weight, default in zip(row, base, strict=True)] for row in others]
    spread = [0.3 * sqrt(sum(row[i] ** 2 for row in others) / len(others)) + 0.005 for i in range(SIZE)]
    spread[TEMPLATE], spread[MEDIA] = 20.0, 0.5
    return [
        [
            1.5 * sum(row[i] * row[j] for row in away) / len(away)
            + 0.01 * base[i] * base[j]  # all of them together, by a tenth
            + (spread[i] ** 2 if i == j else 0.0)
            for j in range(SIZE)
        ]
        for i in range(SIZE)
    ]


_PRIOR = _prior()


@lru_cache(maxsize=256)
def _usual(counts: int) -> tuple[tuple[int, ...], float]:
    """`counts`, unpacked, and what OpenAI's models make of them: wanted before an answer and after it."""
    seen = unpacked(counts)
    return seen, weighed(seen, DEFAULT)


class Calibration:
    """The weights of each model. Bounded: the models seen last are kept. Holds no time and no text."""

    MAX_MODELS = 128
    """Each takes about 30 kB."""
    MIN_FACTOR = 0.5
    MAX_FACTOR = 6.0
    """No model counts less or more than so many times what OpenAI's do; some have four times, for Hindi."""
    MIN_TOKENS = 100
    """Shorter prompts teach nothing: the fixed part of a prompt template outweighs the text."""

    def __init__(self) -> None:
        self._models: BoundedMap[str, _Model] = BoundedMap(self.MAX_MODELS)

    def knows(self, model: str) -> bool:
        """Whether `model` ever counted a prompt for us."""
        return model in self._models

    def tokens(self, model: str, counts: int) -> float:
        """How many tokens `model` probably makes of what has these packed `counts`."""
        seen, usual = _usual(counts)
        known = self._models.get(model)
        return usual if known is None else self._bounded(sum(map(mul, seen, known.weights)), usual)

    def _bounded(self, tokens: float, usual: float) -> float:
        return min(max(tokens, self.MIN_FACTOR * usual), self.MAX_FACTOR * usual)

    def observe(self, model: str, counts: int, actual: int) -> None:
        """Learn that `model` counted `actual` tokens in a prompt with these packed `counts`."""
        seen, usual = _usual(counts)
        if usual < self.MIN_TOKENS or actual <= 0:
            return
        tokens = self._bounded(actual, usual)
        known = self._models.get(model)
        if known is None:
            known = self._models[model] = _Model(DEFAULT, _PRIOR, seen, tokens)
            known.learn(seen, tokens)
        elif abs(sum(map(mul, seen, known.weights)) - tokens) > _GOOD_ENOUGH * tokens:
            if tokens > known.tokens and all(map(int.__ge__, seen, known.counts)):
                known.learn(tuple(map(int.__sub__, seen, known.counts)), tokens - known.tokens)
            known.learn(seen, tokens)
        known.counts, known.tokens = seen, tokens
        self._models.touch(model)
