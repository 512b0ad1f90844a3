from __future__ import annotations

import pytest

from claude_code_proxy.core.answer.output_text import OutputText
from claude_code_proxy.core.tokens.text_features import default_tokens, features


@pytest.mark.parametrize("pieces", [0, 1, 1000, 40_000])
def test_as_much_as_the_whole_text(pieces: int) -> None:
    said = OutputText()
    for number in range(pieces):
        said.add(f"word {number} ")
        assert len(said._pieces) <= 513
        assert sum(map(len, said._pieces)) <= 1 << 16
    whole = "".join(f"word {number} " for number in range(pieces))
    assert default_tokens(said.counts()) == pytest.approx(default_tokens(features(whole)), rel=0.001)


def test_large_pieces_are_not_kept() -> None:
    said = OutputText()
    for _ in range(20):
        said.add("word " * 100_000)
        assert sum(map(len, said._pieces)) <= 1 << 16
    assert said.counts() > 0
