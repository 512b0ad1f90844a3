"""A small share of `make fuzz`, always the same."""

from __future__ import annotations

import random
from itertools import islice

import pytest

from tests.fuzz.mutate import inputs
from tests.fuzz.targets import TARGETS, Target

SHARE = 400


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_no_input_breaks_a_reader(target: Target) -> None:
    seeds = list(target.seeds())
    assert seeds
    for data in islice(inputs(seeds, target.words, random.Random(target.name)), SHARE):
        target.run(data)
