"""Images, audio and odd reasoning in answers, streamed and whole: nothing is lost without a word."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claude_code_proxy.core import providers
from claude_code_proxy.core.convert_answer import StreamFold, message_from_answer
from claude_code_proxy.core.convert_request import ConvertedRequest, convert_request

PNG = "data:image/png;base64," + "A" * 400
ASK: dict[str, Any] = {
    "model": "m",
    "max_tokens": 9000,
    "thinking": {"type": "adaptive"},
    "messages": [{"role": "user", "content": "q"}],
    "tools": [{"name": "Read", "input_schema": {"type": "object"}}],
}
COPILOT = providers.profile_named("copilot")


def made(**more: Any) -> ConvertedRequest:
    return convert_request({**ASK, **more}, profile=COPILOT, model="m", message_id="msg_1")


def answered(pieces: list[dict[str, Any]], *, stream: bool) -> tuple[list[dict[str, Any]], list[str]]:
    """The blocks of an answer that comes in `pieces`, or with all of them at once, and the notices."""
    request = made()
    if stream:
        fold = StreamFold(COPILOT, request.reply, request.report)
        for at, piece in enumerate(pieces):
            choice = {"index": 0, "delta": piece, "finish_reason": "stop" if piece is pieces[-1] else None}
            fold.feed(b"data: " + json.dumps({"id": at, "choices": [choice]}).encode() + b"\n\n")
        message, _ = fold.close()
    else:
        body = {"choices": [{"message": piece, "finish_reason": "stop"} for piece in pieces]}
        message, _ = message_from_answer(body, COPILOT, request.reply, request.report)
    return message["content"], list(request.report.codes)


def text(of: str) -> dict[str, Any]:
    return {"type": "text", "text": of}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("piece", "expected", "notice"),
    [
        (
            {"content": "Here:", "images": [{"type": "image_url", "image_url": {"url": PNG}}, "odd"]},
            "Here:\n\n[image: image/png, 300 bytes]\n\n",
            "image_dropped",
        ),
        (
            {"content": "a", "images": [{"image_url": {"url": "https://x.example/i.png"}}]},
            "a\n\n![image](https://x.example/i.png)\n\n",
            None,
        ),
        (
            {"content": "a", "images": [{"image_url": 7}]},
            "a\n\n[image: in a form that cannot be shown]\n\n",
            "image_dropped",
        ),
        ({"content": "a", "images": None}, "a", None),
        (
            {
                "content": [
                    {"type": "text", "text": "a"},
                    {"type": "image_url", "image_url": {"url": "data:,x"}},
                ]
            },
            "a\n\n[image: in a form that cannot be shown]\n\n",
            "image_dropped",
        ),
        (
            {"content": None, "audio": {"id": "1", "data": "UklG", "transcript": "Hello"}},
            "Hello",
            "audio_dropped",
        ),
        ({"content": "a", "audio": {"transcript": " b"}}, "a b", None),
        ({"content": "a", "audio": None}, "a", None),
        ({"content": "a", "audio": {"transcript": 7}}, "a", None),
    ],
)
def test_media(stream: bool, piece: dict[str, Any], expected: str, notice: str | None) -> None:
    content, notices = answered([piece], stream=stream)
    assert content == [text(expected)]
    assert notice is None or notice in notices


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("field", ["reasoning", "reasoning_content", "thinking", "reasoning_text"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("hm", "hm"),
        ({"text": "hm"}, "hm"),
        ({"content": [{"text": "h"}, {"text": "m"}], "effort": "low"}, "hm"),
        ([{"type": "summary_text", "text": "h"}, "m", 7], "hm"),
        ([[[[[["too deep"]]]]]], ""),
        ({"effort": "low"}, ""),
        ({"text": {}, "summary": "hm"}, "hm"),
    ],
)
def test_reasoning_of_any_shape(stream: bool, field: str, value: Any, expected: str) -> None:
    content, _ = answered([{field: value, "content": ""}, {"content": "a"}], stream=stream)
    assert [block.get("thinking") or block["text"] for block in content] == (
        [expected] if expected else []
    ) + ["a"]


CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "Read", "arguments": "{}"}}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("pieces", "sent"),
    [
        (
            [
                {"reasoning_text": "h"},
                {"reasoning_text": "m"},
                {"content": None, "tool_calls": [CALL], "reasoning_opaque": "AB="},
            ],
            {"reasoning_text": "hm", "reasoning_opaque": "AB="},
        ),
        (
            [{"reasoning_opaque": "A"}, {"reasoning_opaque": "B="}, {"tool_calls": [CALL]}],
            {"reasoning_opaque": "AB="},
        ),
        (
            [{"content": "I read", "reasoning_opaque": "AB="}, {"tool_calls": [CALL]}],
            {"reasoning_opaque": "AB="},
        ),
        ([{"reasoning_text": "hm"}, {"tool_calls": [CALL]}], {}),
        ([{"content": "done", "reasoning_opaque": "AB="}], {}),
    ],
)
def test_state_of_copilot_goes_back_beside_the_calls(
    stream: bool, pieces: list[dict[str, Any]], sent: dict[str, str]
) -> None:
    content, _ = answered(pieces, stream=stream)
    calls = [block for block in content if block["type"] == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": call["id"], "content": "ok"} for call in calls]
    messages = [
        *ASK["messages"],
        {"role": "assistant", "content": content},
        {"role": "user", "content": [*results, {"type": "text", "text": "go on"}]},
    ]
    back = next(m for m in made(messages=messages).body["messages"] if m["role"] == "assistant")
    assert {key: value for key, value in back.items() if key.startswith("reasoning")} == sent
    other = made(model="other", messages=messages).body["messages"]
    assert not any("reasoning_opaque" in message for message in other)
