from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from claude_code_proxy.core.answer.stop_sequences import StopSequences

TEXT = st.text(alphabet="abc", max_size=20)


def run(stops: tuple[str, ...], pieces: list[str]) -> tuple[str, str | None]:
    sequences, out = StopSequences(stops), ""
    for piece in pieces:
        if sequences.matched is None:
            out += sequences.feed(piece)
    return out + sequences.flush(), sequences.matched


@given(st.lists(st.text(alphabet="abc", min_size=1, max_size=4), min_size=1, max_size=3), TEXT)
def test_text_ends_before_the_first_match_however_it_is_cut(stops: list[str], text: str) -> None:
    out, matched = run(tuple(stops), list(text))
    assert (out, matched) == run(tuple(stops), [text])
    if matched is None:
        assert out == text
        assert not any(stop in text for stop in stops)
    else:
        assert text.startswith(out + matched)
        assert not any(stop in out for stop in stops)


def test_the_first_to_be_complete_wins() -> None:
    for pieces in (["xaby"], list("xaby")):
        assert run(("aby", "b"), pieces) == ("xa", "b")


def test_empty_sequences_match_nothing() -> None:
    assert run(("",), ["abc"]) == ("abc", None)


def test_nothing_is_held_back_that_begins_no_sequence() -> None:
    sequences = StopSequences(("END", "bye"))
    assert [sequences.feed(text) for text in ("abc", "Hello.", "x E", "b", "ye")] == [
        "abc",
        "Hello.",
        "x ",
        "E",
        "",
    ]
    assert sequences.matched == "bye"
