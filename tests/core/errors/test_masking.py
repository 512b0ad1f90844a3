"""No piece of a key stays in a text."""

from __future__ import annotations

import base64
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_code_proxy.core.errors.masking import MIN_PIECE, without_key, without_keys

KEY = "sk-secret-0123456789abcdefghij"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"bad key {KEY}!", "bad key [key]!"),
        (f"{KEY}{KEY} {KEY}", "[key] [key]"),
        ("bad key sk-secret-0123...", "bad key [key]..."),
        ("ends in cdefghij", "ends in [key]"),
        ("ends in 3456789a and cdefghij", "ends in [key] and [key]"),
        ("sk-s...ghij", "sk-s...ghij"),
        ("nothing of it", "nothing of it"),
        ("sk-secr", "sk-secr"),
        ("", ""),
    ],
)
def test_pieces_are_masked(text: str, masked: str) -> None:
    assert without_key(text, KEY) == masked


@pytest.mark.parametrize("key", [KEY, "abc+def/ghi=jkl mno", "sk-ant-api03-\u00e9\u00e9-0123456789"])
@pytest.mark.parametrize("before", ["", "u", "u:", "user:"])
@pytest.mark.parametrize("after", ["", ":", " tail"])
def test_encoded_keys_are_masked(key: str, before: str, after: str) -> None:
    raw = f"{before}{key}{after}".encode()
    for form in (
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
        quote(key, safe=""),
        quote(key, safe="").lower(),
    ):
        masked = without_keys([f"bad Basic {form}!", "else"], [key], encoded=True)
        assert masked[1] == "else"
        left = masked[0].removeprefix("bad Basic ").removesuffix("!")
        assert "[key]" in left
        assert len(left.replace("[key]", "")) <= 8 + len(before) + 2 * len(after), masked


def test_several_texts_and_keys() -> None:
    texts = [f"bad {KEY}", "good", "other-key-of-mine!"]
    assert without_keys(texts, [KEY, "", "other-key-of-mine"]) == ["bad [key]", "good", "[key]!"]
    assert without_keys(texts, ["unknown-key"]) is texts


def test_a_key_of_any_length_is_masked() -> None:
    key = "".join(f"{number:04x}" for number in range(3000))
    assert without_key(f"bad {key[5000:5100]} and {key[11_900:]}", key) == "bad [key] and [key]"


def test_placeholders_are_no_keys() -> None:
    assert without_key("none: none", "none") == "none: none"


@given(st.text(alphabet="abc", max_size=40), st.text(alphabet="abc", min_size=8, max_size=20), st.data())
def test_no_piece_is_left(text: str, key: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(key) - MIN_PIECE))
    end = data.draw(st.integers(start + MIN_PIECE, len(key)))
    masked = without_key(text + key[start:end] + text, key)
    for part in masked.split("[key]"):
        assert not any(key[at : at + MIN_PIECE] in part for at in range(len(key) - MIN_PIECE + 1))
    assert "[key]" in masked


def test_long_texts_take_no_long_time() -> None:
    began = time.process_time()
    without_key("sk-secret-" * 100_000, KEY)
    without_key("a" * 1_000_000, "a" * 60_000)
    assert time.process_time() - began < 10
