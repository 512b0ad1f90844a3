from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_code_proxy.core import web_search
from claude_code_proxy.core.deltas import Page, WebFetch
from claude_code_proxy.core.web_search import Asked, Filters
from tests.core.cases import CASES, load

FILE = load(CASES / "websearch" / "cases.json")


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in FILE["asked"]])
def test_what_is_asked(case: dict[str, Any]) -> None:
    expected = None
    if case["asked"] != "no":
        filters = Filters(tuple(case["asked"]["allowed"]), tuple(case["asked"]["blocked"]))
        urls = tuple(case["asked"].get("urls", ()))
        expected = Asked(case["asked"]["query"], filters, urls, case["asked"].get("max_tokens", 0))
    fetches = case.get("fetches", False)
    assert web_search.asked(case["request"], claude_code=case["claude_code"], fetches=fetches) == expected


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in FILE["results"]])
def test_results(case: dict[str, Any]) -> None:
    filters = Filters(tuple(case["allowed"]), tuple(case["blocked"]))
    found = web_search.read_results(case["payload"], filters)
    assert [[*page] for page in found] == case["results"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["results", "web", "url", "type", "role", "content"]), inner)
    ),
    max_leaves=20,
)


@given(JSON, JSON, JSON)
def test_takes_anything(tools: Any, messages: Any, choice: Any) -> None:
    request = {"tools": tools, "messages": messages, "tool_choice": choice}
    web_search.asked(request, claude_code=True)
    web_search.asked({**request, "tools": [{"type": "web_search"}]}, claude_code=True)
    web_search.asked({**request, "tools": [{"type": "web_fetch"}]}, claude_code=False, fetches=True)
    assert all(isinstance(result, Page) for result in web_search.read_results(tools, Filters(("a.com",))))


def test_sites_go_into_the_query() -> None:
    assert web_search.with_sites(Asked("cats", Filters())) == "cats"
    allowed = Filters(tuple(f"{name}.com" for name in "abcdefg"))
    assert web_search.with_sites(Asked("cats", allowed)) == (
        "cats site:a.com OR site:b.com OR site:c.com OR site:d.com OR site:e.com"
    )


@pytest.mark.parametrize("content", ["find cats", [{"type": "text", "text": "find cats"}]])
def test_results_stand_after_the_question(content: Any) -> None:
    request: dict[str, Any] = {
        "model": "m",
        "tools": [{"type": "web_search"}],
        "tool_choice": {"type": "any"},
        "messages": [{"role": "user", "content": content}, {"role": "system", "content": "s"}],
    }
    before = copy.deepcopy(request)
    found = [Page("https://cats.com", "Cats", "2026", "About cats."), Page("https://b.com")]
    sent = web_search.with_results(request, "cats", found)
    assert request == before
    assert sent.keys() == {"model", "messages"}
    question, results = sent["messages"][0]["content"]
    assert question == {"type": "text", "text": "find cats"}
    assert "Cats\nhttps://cats.com\n2026\nAbout cats.\n\nhttps://b.com\n" in results["text"]
    assert sent["messages"][1] == request["messages"][1]
    nothing = web_search.with_results(request, "cats", [])
    assert "Nothing was found." in nothing["messages"][0]["content"][1]["text"]


def test_other_tools_stay_where_pages_were_fetched() -> None:
    look, fetch, search = {"name": "look"}, {"type": "web_fetch_20250910"}, {"type": "web_search_20250305"}
    request = {
        "tools": [look, fetch, search],
        "tool_choice": {"type": "auto"},
        "messages": [{"role": "user", "content": "read it"}],
    }
    edited = web_search.with_pages(request, [WebFetch(-1, Page("https://a.com", "A", None, "All of A."))])
    assert edited["tools"] == [look, search]
    assert edited["tool_choice"] == {"type": "auto"}
    assert "All of A." in edited["messages"][0]["content"][1]["text"]
    assert request["tools"] == [look, fetch, search]
    del request["tool_choice"]
    assert "tools" not in web_search.with_pages({**request, "tools": [fetch, search]}, [])


def test_pages_stand_after_the_question() -> None:
    request = {"tools": [{"type": "web_fetch"}], "messages": [{"role": "user", "content": "read it"}]}
    fetched = [
        WebFetch(-1, Page("https://a.com", "A", None, "All of A.")),
        WebFetch(-2, Page("https://b.com"), error="url_not_accessible"),
    ]
    text = web_search.with_pages(request, fetched)["messages"][0]["content"][1]["text"]
    assert (
        "A\nhttps://a.com\nAll of A.\n\nhttps://b.com: it could not be fetched (url_not_accessible)\n" in text
    )
