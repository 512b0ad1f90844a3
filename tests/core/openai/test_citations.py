"""Pages that a Responses answer cites, streamed and whole, with a search tool and without."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claude_code_proxy.core import providers
from claude_code_proxy.core.convert_answer import StreamFold, message_from_answer
from claude_code_proxy.core.convert_request import convert_request

OPENAI = providers.profile_for(api_base="https://api.openai.com/v1", model="gpt-5.5")
SEARCH = {"type": "web_search_20250305", "name": "web_search"}
NOTES: list[Any] = [
    {"type": "url_citation", "url": "https://a.com", "title": "A", "start_index": 0, "end_index": 3},
    {"type": "url_citation", "url": "https://a.com", "title": "A"},
    {"type": "url_citation", "url": "https://b.com"},
    {"type": "file_citation", "file_id": "f"},
    7,
]
CALL = {
    "type": "web_search_call",
    "id": "ws",
    "status": "completed",
    "action": {"type": "search", "query": "q"},
}
PART = {"type": "output_text", "text": "See.", "annotations": NOTES}


def output(sources: list[Any] | None) -> list[dict[str, Any]]:
    action = CALL["action"] if sources is None else {"type": "search", "query": "q", "sources": sources}
    return [{**CALL, "action": action}, {"type": "message", "id": "m", "content": [PART, "odd"]}]


def content_of(items: list[dict[str, Any]], tools: list[Any], *, stream: bool) -> list[dict[str, Any]]:
    request = {"model": "x", "max_tokens": 9, "messages": [{"role": "user", "content": "q"}], "tools": tools}
    made = convert_request(request, profile=OPENAI, model="m", message_id="msg_1")
    response = {"object": "response", "status": "completed", "output": items}
    if not stream:
        return message_from_answer(response, OPENAI, made.reply, made.report)[0]["content"]  # type: ignore[no-any-return]
    fold = StreamFold(OPENAI, made.reply, made.report)
    events: list[dict[str, Any]] = []
    for place, item in enumerate(items):
        events.append(
            {"type": "response.output_item.added", "output_index": place, "item": {**item, "content": []}}
        )
        if item["type"] == "message":
            events.append({"type": "response.output_text.delta", "output_index": place, "delta": "See."})
            events += [
                {"type": "response.output_text.annotation.added", "output_index": place, "annotation": note}
                for note in NOTES
            ]
        events.append({"type": "response.output_item.done", "output_index": place, "item": item})
    for event in [*events, {"type": "response.completed", "response": response}]:
        fold.feed(b"data: " + json.dumps(event).encode() + b"\n\n")
    return fold.close()[0]["content"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("stream", [True, False])
def test_without_our_search_tool_the_text_has_citations(stream: bool) -> None:
    (text,) = content_of(output(None)[1:], [], stream=stream)
    assert text["text"] == "See."
    assert [(at["type"], at["url"], at["title"]) for at in text["citations"]] == [
        ("web_search_result_location", "https://a.com", "A"),
        ("web_search_result_location", "https://b.com", None),
    ]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("sources", "found"),
    [
        (None, [("https://a.com", "A"), ("https://b.com", "https://b.com")]),
        ([], [("https://a.com", "A"), ("https://b.com", "https://b.com")]),
        ([{"type": "url", "url": "https://c.com", "title": "C"}, {"url": 7}], [("https://c.com", "C")]),
    ],
)
def test_a_search_has_found_what_it_says_or_what_is_cited(
    stream: bool, sources: list[Any] | None, found: list[tuple[str, str]]
) -> None:
    content = content_of(output(sources), [SEARCH], stream=stream)
    result = next(block for block in content if block["type"] == "web_search_tool_result")
    assert [(page["url"], page["title"]) for page in result["content"]] == found
    use = next(block for block in content if block["type"] == "server_tool_use")
    assert use["input"] == {"query": "q"}
