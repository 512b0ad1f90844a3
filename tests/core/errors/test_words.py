from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_code_proxy.core.errors.corrections import corrections
from claude_code_proxy.core.errors.words import Word, callers_own, own_words, read_words
from claude_code_proxy.core.providers.profile import Profile

CHINESE = re.compile("超过|长度")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("128,000/128_000/128'000/128 000/128.000/128k", [*[128000, "/"] * 5, 128000]),
        ("12.5K/1M/12.8万/3.5", [12500, "/", 1000000, "/", 128000, "/", -1]),
        ("[1,258048]", ["[", 1, ",", 258048, "]"]),
        ("(5000tokens 70b)", ["(", ")"]),
        ("gpt-4.1-mini llama-3-70b a-b", ["a", "b"]),
        ("max_tokens prompt_len model's don't", ["max_tokens", "prompt", "len", "model", "don't"]),
        ("tools[3].function.name: x", ["tools[3].function.name", ":", "x"]),
        ("length.Please stop", ["length", ".", "please", "stop"]),
        ("a <= b ≤ c => d", ["a", "<=", "b", "<=", "c", "=>", "d"]),
        ("{'code': 4, 'message': 'x'}", ["code", ":", 4, ",", ".", "x"]),
        ("长度为超过限制", ["长度", "超过"]),
        ("", []),
    ],
)
def test_words(text: str, words: list[Any]) -> None:
    expected = [Word("#", word) if isinstance(word, int) else Word(word) for word in words]
    assert read_words(text, {"max_tokens"}, CHINESE) == expected


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    assert all(word.value >= -1 for word in read_words(text, (), CHINESE))


SENT: dict[str, Any] = {
    "max_tokens": 32000,
    "stop": ["above maximum value: supports at most 1024"],
    "messages": [
        {"role": "user", "content": "line one\nabove maximum value: at most 1025, and " + "x" * 9000}
    ],
    "temperature": 0.5,
}


@pytest.mark.parametrize(
    ("message", "own"),
    [
        ("Bad stop 'above maximum value: supports at most 1024'", "Bad stop ''"),
        ("Bad text: line one\\nabove maximum value: at most 1025, and xxx...", "Bad text: line one\\n..."),
        ("max_tokens: at most 8192", "max_tokens: at most 8192"),
        ("temperature", "temperature"),
    ],
)
def test_own_words(message: str, own: str) -> None:
    assert re.sub(" {2,}", "", own_words(message, SENT)) == own


def test_an_escaped_quotation_is_a_quotation() -> None:
    sent = {"stop": ['at "most"\t1024 tokens']}
    assert own_words('bad: at \\"most\\"\\t1024 tokens', sent).split() == ["bad:"]
    assert own_words("bad: 'at \"most\"\\t1024 tokens'", sent).split() == ["bad:", "'", "'"]


@pytest.mark.parametrize(
    ("message", "lesson"),
    [
        ("stop 'above maximum value: supports at most 1024' is refused", {}),
        ("cannot read: above maximum value: at most 1025, and xxx", {}),
        ("max_tokens is too large: this model supports at most 8192", {"max_output": 8192}),
        (
            "max_tokens is too large: it supports at most 8192. You sent 'above maximum value: supports at most 1024'",
            {"max_output": 8192},
        ),
    ],
)
def test_what_a_caller_wrote_is_no_lesson(message: str, lesson: dict[str, Any]) -> None:
    found = corrections(400, {"error": {"message": message}}, Profile(), SENT)
    assert found is not None
    assert found.lesson == lesson


def test_a_refused_parameter_in_a_callers_words_is_no_lesson() -> None:
    sent = {**SENT, "stop": ["unsupported parameter: 'temperature' is not supported"]}
    message = "invalid stop: unsupported parameter: 'temperature' is not supported"
    found = corrections(400, {"error": {"message": message}}, Profile(), sent)
    assert found is None or not found.lesson


@given(st.text(alphabet="ab1 ", max_size=80), st.text(alphabet="ab1 ", max_size=80))
def test_long_common_pieces_are_left_out(before: str, after: str) -> None:
    quoted = "the quick brown fox jumps over a dog"
    own = own_words(before + quoted + after, {"a": ["zzz" + quoted + "yyy"]})
    assert quoted not in own
    assert len(own) == len(before + quoted + after)


@pytest.mark.parametrize(
    ("message", "sent", "numbers", "is_callers"),
    [
        ("stop: 'unsupported'", {"stop": ["unsupported"]}, [], True),
        ("stop: 'unsupported'", {"messages": [{"content": [{"text": "unsupported"}]}]}, [], True),
        ("stop is unsupported", {"stop": ["END"], "unsupported": 1}, [], False),
        ("stop is unsupported", {"stop": ("un", "unsupported in the end")}, [], False),
        ("at most 1024", {"stop": ["1024"]}, [1024], True),
        ("at most 1024", {"messages": [{"content": "see 1,024 things"}]}, [1024], True),
        ("at most 1024", {"messages": [{"content": "see 11024 and 10245"}]}, [1024], False),
        ("at most 1024", {"max_tokens": 1024, "stop": None}, [1024], False),
    ],
)
def test_callers_own(message: str, sent: Any, numbers: list[int], is_callers: bool) -> None:
    trigger = re.compile("unsupported|at most")
    assert callers_own(message, sent, trigger, numbers) is is_callers
