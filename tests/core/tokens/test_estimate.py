from __future__ import annotations

import base64
import time
from typing import Any

import pytest

from claude_code_proxy.core.conversation import PreparedTools
from claude_code_proxy.core.tokens.estimate import TextCounts, estimate
from claude_code_proxy.core.tokens.text_features import FIXED, packed
from tests.core.test_images import PNG


def user(content: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}]}


def image(data: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": data}}


def png(width: int, height: int, padding: int = 0) -> str:
    raw = PNG[:16] + width.to_bytes(4) + height.to_bytes(4) + bytes(padding)
    return "data:image/png;base64," + base64.b64encode(raw).decode()


EMPTY = 3
MESSAGE = 4
MEDIA: list[tuple[str, Any, int]] = [
    ("size", image(png(750, 100)), 100),
    ("capped", image(png(4000, 4000)), 1600),
    ("a megabyte of data", image(png(750, 100, 1_000_000)), 100),
    ("undecodable", image("data:image/png;base64,AAAA"), 1500),
    ("remote", image("https://example.com/a.png"), 1500),
    ("no object", {"type": "image_url", "image_url": png(750, 100)}, 100),
    ("no url", {"type": "image_url", "image_url": {}}, 1500),
    ("small pdf", {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}}, 2000),
    ("large pdf", {"type": "file", "file": {"file_data": "A" * 400_000}}, 6000),
    ("file without data", {"type": "file", "file": {"file_id": "f"}}, 2000),
    ("audio", {"type": "input_audio", "input_audio": {"data": "A" * 32_000}}, 15),
    ("audio without data", {"type": "input_audio"}, 0),
]


@pytest.mark.parametrize(("name", "part", "tokens"), MEDIA, ids=[case[0] for case in MEDIA])
def test_media(name: str, part: dict[str, Any], tokens: int) -> None:
    assert estimate(user([part])) == EMPTY + MESSAGE + tokens


WORDS = "The quick brown fox jumps over the lazy dog near the river bank"
COUNTED: list[tuple[str, dict[str, Any]]] = [
    ("content", user(WORDS)),
    ("part", user([{"type": "text", "text": WORDS}])),
    ("odd part", user([WORDS])),
    ("nothing else", {"messages": [{"role": "assistant", "content": WORDS, "refusal": None}]}),
    ("reasoning", {"messages": [{"role": "assistant", "content": None, "reasoning_content": WORDS}]}),
    ("input", {"input": [{"role": "user", "content": WORDS}]}),
    (
        "reasoning details",
        {"messages": [{"role": "assistant", "reasoning_details": [{"text": WORDS, "data": "A" * 9000}]}]},
    ),
    (
        "tool call",
        {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "", "arguments": WORDS}}]}]},
    ),
    ("tool name", {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": WORDS}}]}]}),
]


@pytest.mark.parametrize(("name", "body"), COUNTED, ids=[case[0] for case in COUNTED])
def test_what_counts_as_text(name: str, body: dict[str, Any]) -> None:
    assert estimate(body) == pytest.approx(EMPTY + MESSAGE + 13, abs=3)


def test_tools_and_schema_count() -> None:
    tool = {"type": "function", "function": {"name": "f", "description": WORDS, "parameters": {}}}
    bare = estimate({"messages": []})
    assert bare == EMPTY
    assert estimate({"tools": [tool]}) >= bare + 10 + 13
    assert (
        estimate({"response_format": {"type": "json_schema", "json_schema": {"schema": WORDS}}}) >= bare + 13
    )
    assert estimate({"text": {"format": {"type": "json_schema", "schema": WORDS}}}) >= bare + 13
    assert estimate({"response_format": {"type": "json_object"}}) == bare


@pytest.mark.parametrize(
    ("body", "same"),
    [
        (user([{"type": "text", "text": WORDS}]), user(WORDS)),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{}]}]},
            {
                "messages": [
                    {"role": "assistant", "tool_calls": [{"function": {"name": "", "arguments": ""}}]}
                ]
            },
        ),
    ],
)
def test_what_counts_the_same(body: dict[str, Any], same: dict[str, Any]) -> None:
    assert estimate(body) == estimate(same)


def test_settings_do_not_count() -> None:
    body = user(WORDS)
    assert estimate({**body, "tool_choice": "auto", "model": WORDS, "user": WORDS}) == estimate(body)


def test_half_a_megabyte_is_counted_in_no_time() -> None:
    body = user((WORDS + ' {"key": [1, 2]}\n') * 6500)
    started = time.perf_counter()
    estimate(body)
    assert time.perf_counter() - started < 2


def test_remembered_counts_are_those_of_the_first_time() -> None:
    counts = TextCounts()
    body = {"messages": [{"role": "user", "content": f"{number} {WORDS} " * 8} for number in range(5)]}
    first = estimate(body, counts)
    assert estimate(body, counts) == first == estimate(body)
    assert first == pytest.approx(EMPTY + 5 * (MESSAGE + 8 * 14), rel=0.15)


def test_a_long_text_is_counted_once() -> None:
    counted: list[str] = []

    def length(text: str) -> int:
        counted.append(text)
        return len(text)

    counts = TextCounts(length)
    long = "a" * TextCounts.MIN_LENGTH
    assert counts.count([long, "b", "c"]) == counts.count(["b", long, "c"])
    assert counted == [long + "\n", "b\nc", "b\nc"]


def test_the_counts_of_prepared_tools_are_remembered() -> None:
    counts, tools = TextCounts(), PreparedTools(encoded=({"name": "f"},), written=b'[{"name":"f"}]')
    assert estimate({"tools": [*tools.encoded]}, TextCounts(), tools) == estimate({"tools": [{"name": "f"}]})
    counts.known(tools.written, lambda: packed(FIXED, 1000))
    assert estimate({"tools": [*tools.encoded]}, counts, tools) == EMPTY + 1000
    assert estimate({"tools": [{}, {}]}, counts, tools) < 100


def test_remembered_counts_are_bounded() -> None:
    counts = TextCounts()
    texts = [f"{number:0300}" for number in range(TextCounts.MAX_TEXTS + 10)]
    for text in texts:
        counts.count([text])
    assert len(counts._known) == 10
    assert counts.count(texts[:1]) == counts.count(texts[:1])
