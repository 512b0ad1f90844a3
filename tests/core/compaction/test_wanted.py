"""Which requests ask for compaction, and for what."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_code_proxy.core.compaction.wanted import has_news, wanted, without
from claude_code_proxy.core.errors.api import ApiError
from tests.core.cases import CASES, load

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["edits", "type", "content"]), inner),
    max_leaves=8,
)


def cases(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "case", load(CASES / "compaction" / f"{name}.json"), ids=lambda case: case["name"]
    )


@cases("wanted")
def test_what_is_wanted(case: dict[str, Any]) -> None:
    if "error" not in case:
        found = wanted(case["request"])
        assert (None if found is None else [*found]) == case["expected"]
        return
    with pytest.raises(ApiError) as raised:
        wanted(case["request"])
    assert raised.value.status == 400
    assert raised.value.message.startswith(case["error"])
    assert raised.value.details == ({"error_code": case["code"]} if "code" in case else None)


@cases("without")
def test_a_request_without_asking(case: dict[str, Any]) -> None:
    assert without(case["request"]) == case["expected"]


@cases("has_news")
def test_whether_there_is_anything_to_summarize(case: dict[str, Any]) -> None:
    assert has_news(case["messages"]) is case["expected"]


@given(JSON, JSON, JSON)
def test_any_request_is_read_or_refused(management: Any, compaction: Any, messages: Any) -> None:
    request = {"context_management": management, "compaction": compaction, "messages": messages}
    with suppress(ApiError):
        wanted(request)
    assert "compaction" not in without(request)
    has_news(messages)
