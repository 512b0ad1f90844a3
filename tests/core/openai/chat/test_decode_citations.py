"""What a provider's own web search found, on Chat Completions: addresses beside the text."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claude_code_proxy.core import providers
from claude_code_proxy.core.convert_answer import StreamFold, message_from_answer
from claude_code_proxy.core.convert_request import ConvertedRequest, convert_request

OPENROUTER = providers.profile_named("openrouter")
SEARCH = {"type": "web_search_20250305", "name": "web_search"}


def cited(*urls: Any) -> list[Any]:
    return [{"type": "url_citation", "url_citation": {"url": url, "title": "t"}} for url in urls]


PIECES: list[dict[str, Any]] = [
    {"role": "assistant", "content": "See [a](https://a.com)"},
    {"content": ".", "annotations": cited("https://a.com")},
    {
        "content": "",
        "annotations": [*cited("https://b.com", "https://a.com", None, ""), {"url_citation": 7}, 7],
    },
    {"content": "", "annotations": []},
    {"content": "", "annotations": None},
]
FOUND = {
    "type": "web_search_tool_result",
    "content": [
        {"type": "web_search_result", "url": url, "title": "t", "encrypted_content": "", "page_age": None}
        for url in ("https://a.com", "https://b.com")
    ],
}


CITED = [
    {
        "type": "web_search_result_location",
        "url": url,
        "title": "t",
        "encrypted_index": "",
        "cited_text": "",
    }
    for url in ("https://a.com", "https://b.com")
]


def converted(*tools: Any) -> ConvertedRequest:
    request = {"model": "x", "max_tokens": 9, "messages": [{"role": "user", "content": "q"}], "tools": tools}
    request["tools"] = list(tools)
    return convert_request(request, profile=OPENROUTER, model="m", message_id="msg_1")


def streamed(pieces: list[dict[str, Any]], *tools: Any) -> list[dict[str, Any]]:
    made = converted(*tools)
    fold = StreamFold(OPENROUTER, made.reply, made.report)
    for piece in pieces:
        fold.feed(b"data: " + json.dumps({"choices": [{"index": 0, "delta": piece}]}).encode() + b"\n\n")
    fold.feed(b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n')
    content: list[dict[str, Any]] = fold.close()[0]["content"]
    return content


def test_pages_that_a_stream_cites_are_search_results() -> None:
    text, use, result = streamed(PIECES, SEARCH)
    assert text == {"type": "text", "text": "See [a](https://a.com).", "citations": CITED}
    assert (use["type"], use["name"], use["input"]) == ("server_tool_use", "web_search", {"query": ""})
    assert result == {**FOUND, "tool_use_id": use["id"]}


def test_pages_that_a_whole_answer_cites() -> None:
    made = converted(SEARCH)
    message = {"role": "assistant", "content": "See.", "annotations": cited("https://a.com", "https://b.com")}
    answer = {"choices": [{"message": message, "finish_reason": "stop"}]}
    content = message_from_answer(answer, OPENROUTER, made.reply, made.report)[0]["content"]
    assert [block["type"] for block in content] == ["text", "server_tool_use", "web_search_tool_result"]
    assert content[2]["content"] == FOUND["content"]


@pytest.mark.parametrize("tools", [[], [{"name": "f", "input_schema": {"type": "object"}}]])
def test_who_asked_for_no_search_gets_citations_only(tools: list[Any]) -> None:
    text = {"type": "text", "text": "See [a](https://a.com).", "citations": CITED}
    assert streamed(PIECES, *tools) == [text]


LISTS = {
    "citations": ["https://a.com", "https://b.com", 7],
    "search_results": [
        {"title": "A", "url": "https://a.com", "date": "2026-01-02", "snippet": "about a"},
        {"title": None, "url": "https://c.com", "date": ""},
        "odd",
    ],
}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("search", [True, False])
def test_lists_beside_the_choices(stream: bool, search: bool) -> None:
    made = converted(*([SEARCH] if search else []))
    if stream:
        fold = StreamFold(OPENROUTER, made.reply, made.report)
        for at, piece in enumerate(("One [1]", " two [2].", "")):
            choice = {"index": 0, "delta": {"content": piece}, "finish_reason": "stop" if at == 2 else None}
            fold.feed(b"data: " + json.dumps({"choices": [choice], **LISTS}).encode() + b"\n\n")
        content = fold.close()[0]["content"]
    else:
        message = {"role": "assistant", "content": "One [1] two [2]."}
        answer = {"choices": [{"message": message, "finish_reason": "stop"}], **LISTS}
        content = message_from_answer(answer, OPENROUTER, made.reply, made.report)[0]["content"]
    assert content[0]["text"] == "One [1] two [2]."
    assert [(at["url"], at["title"], at["cited_text"]) for at in content[0]["citations"]] == [
        ("https://a.com", "A", "about a"),
        ("https://c.com", None, ""),
        ("https://b.com", None, ""),
    ]
    assert len(content) == (3 if search else 1)
    if search:
        found = [(page["title"], page["page_age"]) for page in content[2]["content"]]
        assert found == [("A", "2026-01-02"), ("https://c.com", None), ("https://b.com", None)]


def test_citations_without_any_text_are_a_notice() -> None:
    made = converted()
    message = {"role": "assistant", "content": None, "annotations": cited("https://a.com")}
    answer = {"choices": [{"message": message, "finish_reason": "stop"}]}
    assert message_from_answer(answer, OPENROUTER, made.reply, made.report)[0]["content"] == []
    assert "citations_dropped" in made.report.codes


def test_results_are_bounded() -> None:
    many = [
        {"content": "a", "annotations": cited(*(f"https://{n}.com" for n in range(70 * at, 70 * at + 70)))}
        for at in range(3)
    ]
    assert len(streamed(many, SEARCH)[2]["content"]) == 100
