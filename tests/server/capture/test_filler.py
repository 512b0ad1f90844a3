"""Filler: no text is left, every length and all of the structure is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from claude_code_proxy.core.continuity import open_reasoning, seal_reasoning
from claude_code_proxy.server.capture.filler import Filler, fill_text
from tests.core import cases

SECRET = "Geheimnis42"
PLAIN = Filler(b"{}")
REQUEST: dict[str, Any] = {
    "model": "claude-x",
    "max_tokens": 100,
    "temperature": 0.25,
    "metadata": {"user_id": SECRET},
    "system": [{"type": "text", "text": SECRET, "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
    "tool_choice": {"type": "tool", "name": "Read"},
    "tools": [
        {
            "name": "Read",
            "description": SECRET,
            "input_schema": {
                "type": "object",
                "properties": {"type": {"type": "string", "pattern": "^\\d+$", "description": SECRET}},
                "required": ["type"],
            },
        }
    ],
    "messages": [
        {"role": "user", "content": SECRET},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": SECRET, "signature": SECRET},
                {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"type": SECRET, "n": [42]}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": f'{{"{SECRET}": "\\n"}}'},
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": "iVBOR" * 20},
                },
            ],
        },
    ],
}


def shape(value: Any) -> Any:
    """The structure of a JSON value: its keys, kinds, and the lengths of its texts."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return len(value) if isinstance(value, str) else type(value)


@pytest.mark.parametrize("indent", [None, 1])
def test_a_request_keeps_its_shape_and_no_text(indent: int | None) -> None:
    raw = json.dumps(REQUEST, indent=indent).encode()
    filled = PLAIN.body(raw)
    assert len(filled) == len(raw)
    assert SECRET.encode() not in filled
    said = json.loads(filled)
    assert shape(said) == shape(REQUEST)
    tool, (_, turn, results) = said["tools"][0], said["messages"]
    assert (said["model"], said["temperature"], tool["name"]) == ("claude-x", 0.25, "Read")
    assert tool["input_schema"]["required"] == ["type"]
    assert tool["input_schema"]["properties"]["type"]["type"] == "string"
    assert said["system"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert turn["content"][1]["id"] == "toolu_1"
    assert turn["content"][1]["input"] == {"type": "Xxxxxxxxx00", "n": [11]}
    assert results["content"][1]["source"]["data"].startswith("iVBORiVBOR")
    assert results["content"][1]["source"]["data"].endswith("xXXXX")


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("Ab, c9!\n\t(d)", "Xx, x0!\n\t(x)"),
        ("é ü · 中文 🎉", "é é · 文文 \U0001f642"),
        ("see https://a.example/B?c=1 now", "xxx https://x.xxxxxxx/X?x=0 xxx"),
        ("<think>hm</think> <b>x</b>", "<think>xx</think> <x>x</x>"),
        ("<|im_start|>abc", "<|im_start|>xxx"),
        ("x-anthropic-billing-header: cc=1", "x-anthropic-billing-header: xx=0"),
    ],
)
def test_a_text(text: str, filled: str) -> None:
    assert fill_text(text) == filled


def test_our_seals_stay_seals() -> None:
    items = [{"type": "reasoning.text", "text": SECRET, "index": 0}]
    seal = seal_reasoning("openrouter", "m", "details", items)
    body = json.dumps({"signature": seal, "other": "px1.%%%"}).encode()
    said = json.loads(PLAIN.body(body))
    opened = open_reasoning(said["signature"])
    assert opened is not None
    assert opened[:3] == ("openrouter", "m", "details")
    assert opened.items == [{"type": "reasoning.text", "text": "Xxxxxxxxx00", "index": 0}]
    assert len(said["signature"]) == len(seal)
    assert said["other"] == "px1.%%%"


def fragments(texts: list[str], wrap: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(wrap(text)).encode() + b"\n\n" for text in texts)


@pytest.mark.parametrize(
    ("wrap", "unwrap"),
    [
        (
            lambda text: {
                "choices": [{"delta": {"tool_calls": [{"function": {"arguments": text}, "index": 0}]}}]
            },
            lambda event: event["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"],
        ),
        (
            lambda text: {"type": "content_block_delta", "index": 1, "delta": {"partial_json": text}},
            lambda event: event["delta"]["partial_json"],
        ),
        (
            lambda text: {"type": "response.function_call_arguments.delta", "delta": text},
            lambda event: event["delta"],
        ),
    ],
)
@given(cuts=st.lists(st.integers(0, 80), max_size=6))
def test_arguments_in_pieces(wrap: Any, unwrap: Any, cuts: list[int]) -> None:
    arguments = {"file_path": SECRET, "n": 42, "flag": True, "a b": {"c": ["\n\u00e9\U0001f389 " + SECRET]}}
    text = json.dumps(arguments)
    at = sorted(min(cut, len(text)) for cut in cuts)
    texts = [text[start:end] for start, end in zip([0, *at], [*at, len(text)], strict=True)]
    raw = fragments(texts, wrap)
    filled = PLAIN.flow(raw, 200)
    assert len(filled) == len(raw)
    events = [json.loads(line[6:]) for line in filled.splitlines() if line]
    assert [len(unwrap(event)) for event in events] == list(map(len, texts))
    said = json.loads("".join(unwrap(event) for event in events))
    assert said.keys() == {"file_path", "n", "flag", "x x"}
    assert (said["file_path"], said["n"], said["flag"]) == ("Xxxxxxxxx00", 11, True)


def test_calls_side_by_side() -> None:
    def piece(index: int, text: str) -> bytes:
        call = {"function": {"arguments": text}, "index": index}
        return b"data: " + json.dumps({"choices": [{"delta": {"tool_calls": [call]}}]}).encode() + b"\n\n"

    raw = piece(0, '{"pa') + piece(1, '{"pa') + piece(0, 'th": "one"}') + piece(1, 'th": "two"}')
    filled = PLAIN.flow(raw, 200)
    assert filled == raw.replace(b"one", b"xxx").replace(b"two", b"xxx")


@pytest.mark.parametrize(
    "raw",
    [
        b'event: message\r\ndata: {"text": "Geheimnis42\r\n\r\n: Kommentar\n\ndata: [DONE]\n\n',
        b'<html class="Geheimnis42">Geheimnis42: "Geheimnis42": "x"</html>',
        b"Geheimnis42",
        b'{"message": "Geheimnis42\xff\xfe", "x": Geheimnis42',
        b'data: {"a": {"Geheimnis": "Geheimnis42\\',
    ],
)
@pytest.mark.parametrize("form", ["flow", "body"])
def test_what_is_broken(raw: bytes, form: str) -> None:
    filled = PLAIN.flow(raw, 200) if form == "flow" else PLAIN.body(raw)
    assert len(filled) == len(raw)
    assert SECRET.encode() not in filled
    if form == "flow":
        assert (b"[DONE]" in filled, b": Kommentar" in filled) == (b"[DONE]" in raw, b": Kommentar" in raw)


def test_an_errors_words_stay_unless_they_quote_the_request() -> None:
    filler = Filler(json.dumps({"content": f"my {SECRET} is this and that"}).encode())
    own = b'{"error": {"message": "Unsupported parameter: temperature"}}'
    quotes = b'{"error": {"message": "bad input: my Geheimnis42 is this and that"}}'
    assert filler.flow(own, 400) == own
    assert SECRET.encode() not in filler.flow(quotes, 400)
    assert filler.flow(b"data: " + own + b"\n\n", 200) == b"data: " + own + b"\n\n"
    assert SECRET.encode() not in filler.flow(b"data: " + quotes + b"\n\n", 200)
    said = {"arguments": json.dumps({"error": "Geheimnis42, which nobody asked for"})}
    assert SECRET.encode() not in filler.flow(json.dumps(said).encode(), 200)


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ("model m does not support max_tokens above 4096", "model m does not support max_tokens above 4096"),
        ("a name in it: ab-Geheimnis42!", "a name in it: ab-Xxxxxxxxx00!"),
        ('in short: {\\"content\\":\\"swordfish\\"}', 'in short: {\\"content\\":\\"xxxxxxxxx\\"}'),
        ("a line of some length, and more", "x xxxx xx xxxx xxxxxx, xxx xxxx"),
        ("> a line of some length, and more", "> x xxxx xx xxxx xxxxxx, and more"),
        ("C:\\al and a line of some length", "C:\\al and x xxxx xx xxxx xxxxxx"),
        ("\\u00e9: > a line of some length \\u4f60", "\\u00e9: > x xxxx xx xxxx xxxxxx \\u4f60"),
    ],
)
def test_only_what_an_error_quotes_is_filled(told: str, left: str) -> None:
    said = ["swordfish", f"of {SECRET}", "a line of some length", "m"]
    filler = Filler(json.dumps({"model": "m", "max_tokens": 9, "messages": [{"content": said}]}).encode())
    assert filler.flow(told.encode(), 400).decode() == left


@given(st.text(), st.text())
def test_any_error_keeps_its_length(said: str, told: str) -> None:
    filler = Filler(json.dumps({"content": said + told}).encode())
    for raw in (told.encode(), json.dumps(told).encode()):
        assert len(filler.flow(raw, 500)) == len(raw)


@pytest.mark.parametrize("path", cases.case_files("stream"), ids=lambda path: path.stem)
def test_streams_keep_the_length_of_each_piece(path: Any) -> None:
    raw = b"".join(cases.chunks_of(cases.load(path)))
    filled = PLAIN.flow(raw, 200)
    assert [len(line) for line in filled.split(b"\n")] == [len(line) for line in raw.split(b"\n")]
    for was, now in zip(raw.split(b"\n"), filled.split(b"\n"), strict=True):
        if was.startswith(b"data: {"):
            assert shape(json.loads(now[6:])) == shape(json.loads(was[6:]))


@example({"#": "\x1f"})
@example({"#text": '"'})
@given(
    st.recursive(
        st.text() | st.integers() | st.booleans() | st.none(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_keeps_its_shape(value: Any) -> None:
    raw = json.dumps([value]).encode()
    filled = PLAIN.body(raw)
    assert len(filled) == len(raw)
    assert shape(json.loads(filled)) == shape([value])


@pytest.mark.parametrize(
    "source", [{"type": "text", "media_type": "text/plain"}, {"type": "redacted_thinking"}, {}]
)
def test_only_of_an_encoded_file_the_beginning_stays(source: dict[str, str]) -> None:
    said = "Geheimnis" * 20
    for block in ({**source, "data": said}, {"data": said, **source}):
        filled = PLAIN.body(json.dumps({"source": block}).encode())
        assert b"Geheim" not in filled
    encoded = {"data": "iVBOR" * 20, "type": "base64"}
    filled = json.loads(PLAIN.body(json.dumps({"source": encoded}).encode()))["source"]["data"]
    assert (filled[:40], filled[40:45], len(filled)) == ("iVBOR" * 8, "xXXXX", 100)
    assert fill_text("data:text/plain;base64,R2VoZWltbmlz") == "xxxx:xxxx/xxxxx;xxxx00,X0XxXXxxxxxx"
