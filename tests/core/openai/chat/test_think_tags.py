from __future__ import annotations

import pytest

from claude_code_proxy.core.deltas import Reasoning, Text
from claude_code_proxy.core.openai.chat.think_tags import ThinkTags

# content, reasoning, text; then the same with the tag opened by the prompt template
CASES = [
    ("<think>r</think>t", "r", "t"),
    ("<think>\nr\n</think>\n\nt", "r", "t"),
    ("  <think>r</think>t", "r", "t"),
    ("<thought>r</thought>t", "r", "t"),
    ("<think></think>t", "", "t"),
    ("<think>\n\n</think>\n\nt", "", "t"),
    ("<think>r", "r", ""),
    ("<think>r < s </ t </thin", "r < s </ t </thin", ""),
    ("<think>r </think>", "r", ""),
    ("t <think>r</think>", "", "t <think>r</think>"),
    ("<thin", "", "<thin"),
    ("<thing>", "", "<thing>"),
    ("", "", ""),
    (" \n", "", " \n"),
    ("<think>a  b</think> c <think>d</think>", "a  b", "c <think>d</think>"),
]
IMPLICIT = [("r</think>t", "r", "t"), ("r", "r", ""), ("\nr\n</think>\nt", "r", "t"), ("</think>t", "", "t")]


def run(pieces: list[str], *, implicit: bool = False) -> tuple[str, str]:
    tags = ThinkTags(implicit=implicit)
    found = [part for piece in pieces for part in tags.feed(piece)] + tags.flush()
    assert all(part.text for part in found)
    reasoning = "".join(part.text for part in found if isinstance(part, Reasoning))
    return reasoning, "".join(part.text for part in found if isinstance(part, Text))


@pytest.mark.parametrize(("content", "reasoning", "text"), CASES)
def test_tags_split_anywhere(content: str, reasoning: str, text: str) -> None:
    assert run([content]) == (reasoning, text)
    assert run(list(content)) == (reasoning, text)
    for at in range(len(content)):
        assert run([content[:at], content[at:]]) == (reasoning, text)


@pytest.mark.parametrize(("content", "reasoning", "text"), IMPLICIT)
def test_tag_opened_by_the_template(content: str, reasoning: str, text: str) -> None:
    assert run([content], implicit=True) == (reasoning, text)
    assert run(list(content), implicit=True) == (reasoning, text)


def test_steps_aside_as_soon_as_there_is_no_tag() -> None:
    tags = ThinkTags()
    tags.feed("plain")
    assert not tags.active
    tags = ThinkTags()
    tags.feed("<think>r</think>")
    assert tags.active  # white space after the tag is still to be dropped
    tags.feed("x")
    assert not tags.active
