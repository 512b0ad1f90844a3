"""How the blocks start and close that `test_writer` sees only from afar."""

from __future__ import annotations

from typing import Any

import pytest

from claude_code_proxy.core.answer import events
from claude_code_proxy.core.answer.open_block import (
    BlockDelta,
    ReasoningSeal,
    RedactedThinkingBlock,
    ServerResultBlock,
    ServerToolBlock,
    TextBlock,
    ThinkingBlock,
)
from claude_code_proxy.core.answer.stop_sequences import StopSequences
from claude_code_proxy.core.continuity import open_reasoning
from claude_code_proxy.core.deltas import Citation, Page, WebFetch, WebSearch

PAGE = Page("https://a.example", "A")
SEARCH, FETCH = WebSearch(0, "q", (PAGE,)), WebFetch(1, PAGE)
DETAILS = [{"type": "reasoning.text", "text": text, "index": 0} for text in ("a", "b")]


def sealed(signature: str) -> tuple[str, str, str, list[Any]] | None:
    state = open_reasoning(signature)
    return state and (state.profile, state.model, state.kind, state.items)


def seal(kind: str = "", items: list[Any] | None = None) -> ReasoningSeal:
    made = ReasoningSeal("kimi", "k2")
    if items:
        made.add(kind, items)
    return made


@pytest.mark.parametrize(
    ("kind", "items", "expected"),
    [
        ("rd", DETAILS, [{"type": "reasoning.text", "text": "ab", "index": 0}]),
        ("text", ["a", "b"], ["a", "b"]),
        ("oi", DETAILS, DETAILS),
    ],
)
def test_pieces_of_details_are_joined_and_other_state_is_not(
    kind: str, items: list[Any], expected: list[Any]
) -> None:
    made = seal()
    for item in items:
        made.add(kind, [item])
    assert sealed(made.close()) == ("kimi", "k2", kind, expected)


@pytest.mark.parametrize(
    ("made", "hidden", "expected"),
    [
        (seal(), [], ("kimi", "k2", "none", [])),
        (seal(), ["I ", "think"], ("kimi", "k2", "text", ["I think"])),
        (seal("oi", [{"id": "rs_1"}]), ["I ", "think"], ("kimi", "k2", "oi", [{"id": "rs_1"}])),
        (seal("oi", [{"id": "rs_1"}]), [], ("kimi", "k2", "oi", [{"id": "rs_1"}])),
    ],
)
def test_hidden_text_comes_back_where_no_other_state_does(
    made: ReasoningSeal, hidden: list[str], expected: object
) -> None:
    block = ThinkingBlock(made)
    block.hidden += hidden
    (delta,) = block.close()
    assert delta[:2] == ("signature_delta", "signature")
    assert sealed(delta.value) == expected


def test_state_without_text() -> None:
    start = RedactedThinkingBlock(seal("oi", [{"id": "rs_1"}])).start
    assert start["type"] == "redacted_thinking"
    assert sealed(start["data"]) == ("kimi", "k2", "oi", [{"id": "rs_1"}])


@pytest.mark.parametrize(
    ("text", "held"), [("a EN", [BlockDelta("text_delta", "text", "EN")]), ("a END", []), ("a", [])]
)
def test_a_text_gives_back_what_it_held_and_then_what_it_cites(text: str, held: list[BlockDelta]) -> None:
    stops = StopSequences(("END",))
    stops.feed(text)
    cited = [Citation(PAGE, "x"), Citation(PAGE, "y")]
    expected = [BlockDelta("citations_delta", "citation", events.web_citation(at)) for at in cited]
    block = TextBlock(stops, cited)
    assert block.close() == [*held, *expected]
    assert (cited, block.close()) == ([], [])
    assert TextBlock(None, []).close() == []


@pytest.mark.parametrize(
    ("found", "name", "text", "result"),
    [
        (SEARCH, "web_search", '{"query":"q"}', events.web_search_result("s", (PAGE,))),
        (FETCH, "web_fetch", '{"url":"https://a.example"}', events.web_fetch_result("s", FETCH)),
    ],
)
def test_what_was_run_for_the_model(
    found: WebSearch | WebFetch, name: str, text: str, result: dict[str, Any]
) -> None:
    call = ServerToolBlock("s", found, name)
    assert call.start == events.server_tool_use("s", name)
    assert call.close() == [("input_json_delta", "partial_json", text)]
    assert ServerResultBlock("s", found).start == result
