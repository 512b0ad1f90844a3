from __future__ import annotations

from typing import Any

import pytest

from claude_code_proxy.core.answer import events
from claude_code_proxy.core.deltas import Page
from claude_code_proxy.core.request.server_tools import result_line

ENTRY: dict[str, Any] = {"type": "web_search_result", "url": "https://a.com", "title": "A", "page_age": "May"}


def test_the_text_of_a_page_that_the_proxy_found_comes_back() -> None:
    block = events.web_search_result(
        "id", (Page("https://a.com", "A", "May", "All of it."), Page("https://b.com"))
    )
    assert result_line(block, "p") == "A - https://a.com (May)\nAll of it.\nhttps://b.com - https://b.com"


@pytest.mark.parametrize("foreign", ["", "EqgfCioIARgB", "e30", "W10", "bnVsbA", 7, None, {"text": "x"}])
def test_what_others_encrypted_is_left_out(foreign: Any) -> None:
    block = {"type": "web_search_tool_result", "content": [{**ENTRY, "encrypted_content": foreign}]}
    assert result_line(block, "p") == "A - https://a.com (May)"
