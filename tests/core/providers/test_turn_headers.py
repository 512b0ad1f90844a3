"""Which headers a request gets by whose turn it is and what is in it."""

from __future__ import annotations

from typing import Any

import pytest

from claude_code_proxy.core.providers.profile import SentHeader
from claude_code_proxy.core.providers.turn_headers import sent_headers

ROWS = (
    SentHeader("X-Who", "user", "user_turn"),
    SentHeader("X-Who", "agent", "agent_turn"),
    SentHeader("X-Image", "true", "image"),
    SentHeader("X-Always", "1"),
)
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "Read", "input": {}}]}


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def result(*content: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": "t", "content": list(content)}


@pytest.mark.parametrize(
    ("messages", "who", "image"),
    [
        ([{"role": "user", "content": "hello"}], "user", False),
        ([user(text("hello"))], "user", False),
        ([user(text("see"), IMAGE)], "user", True),
        ([user(text("a")), CALL, user(result(text("x")))], "agent", False),
        ([user(text("a")), CALL, user(result(IMAGE))], "agent", True),
        ([user(text("a")), CALL, user(result("x"), text("a reminder"))], "agent", False),
        ([user(IMAGE), CALL, user(result(), text("and now?"))], "agent", True),
        (
            [user(text("a")), CALL, user(result()), {"role": "assistant", "content": "b"}, user(text("c"))],
            "user",
            False,
        ),
        ([user(text("a")), {"role": "assistant", "content": "begin"}], "agent", False),
        ([user(text("a")), {"role": "system", "content": "be brief"}], "user", False),
        ([], "agent", False),
        (None, "agent", False),
        ("x", "agent", False),
        ([None, user("x")], "user", False),
        ([{"role": "user", "content": 5}], "user", False),
    ],
)
def test_headers(messages: Any, who: str, *, image: bool) -> None:
    expected = {"X-Who": who, "X-Always": "1"} | ({"X-Image": "true"} if image else {})
    assert sent_headers(ROWS, {"messages": messages}) == expected


def test_without_rows_nothing_is_looked_at() -> None:
    assert sent_headers((), {}) == {}
