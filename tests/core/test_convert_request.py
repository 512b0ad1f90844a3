"""What a converted request tells the server beside the body."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from claude_code_proxy.core.convert_request import ConvertedRequest, convert_request
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.request.media import PdfText


def convert(profile: Profile | None = None, **fields: Any) -> ConvertedRequest:
    request = {"model": "claude-x[1m]", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}
    return convert_request(
        {**request, **fields}, profile=profile or Profile(), model="up", message_id="msg_7"
    )


def test_reply_echoes_the_model_as_sent() -> None:
    reply = convert().reply
    assert (reply.model, reply.message_id, reply.input_tokens) == ("claude-x[1m]", "msg_7", 0)


@pytest.mark.parametrize(
    ("thinking", "profile", "shown"),
    [
        (None, Profile(), False),
        ({"type": "disabled"}, Profile(), False),
        ({"type": "adaptive"}, Profile(), True),
        ({"type": "enabled", "budget_tokens": 2000}, Profile(thinking=False), True),
        (None, Profile(thinking=True), False),
        (None, Profile(always_emit_thinking=True), True),
        (None, Profile(require_reasoning_on_tool_calls=True), True),
    ],
)
def test_thinking_is_shown_to_who_asked(thinking: Any, profile: Profile, shown: bool) -> None:
    assert convert(profile, thinking=thinking).reply.show_thinking is shown


def test_thinking_text_is_hidden_on_request() -> None:
    assert convert(thinking={"type": "adaptive", "display": "omitted"}).reply.hide_thinking_text
    assert not convert(thinking={"type": "adaptive", "display": "updates"}).reply.hide_thinking_text


def test_names_ids_and_stops() -> None:
    name = "mcp__" + "x" * 80
    reply = convert(
        Profile(stop_max=1),
        tools=[{"name": name, "input_schema": {}}],
        stop_sequences=["a", "b"],
        messages=[
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a:1", "name": name, "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a:1"}]},
        ],
    ).reply
    (upstream,) = reply.tool_names
    assert len(upstream) == 64
    assert reply.tool_names[upstream] == name
    assert reply.used_tool_ids == {"a:1"}
    assert reply.stop_sequences == reply.local_stop_sequences == ("a", "b")


def test_cache_warming_and_limits() -> None:
    assert convert(max_tokens=0).max_tokens == 0
    assert convert(max_tokens=0, stream=True).stream is True
    assert convert(Profile(min_output=16), max_tokens=0).max_tokens == 0
    assert convert().reply.max_tokens == 10
    assert convert(Profile(max_tokens_field="omit")).reply.max_tokens == 0


def test_session_id_of_the_header_where_the_body_has_none() -> None:
    def key(session_id: str, **fields: Any) -> Any:
        request = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}], **fields}
        profile = Profile(prompt_cache_key=True)
        converted = convert_request(
            request, profile=profile, model="up", message_id="m", session_id=session_id
        )
        return converted.body.get("prompt_cache_key")

    body = {"metadata": {"user_id": '{"session_id":"s"}'}}
    assert key("") is None
    assert key("h") == hashlib.sha256(b"h").hexdigest()
    assert key("h", **body) == hashlib.sha256(b"s").hexdigest()


def test_thread_names_what_is_unsupported() -> None:
    with pytest.raises(ApiError) as caught:
        convert(thread={"id": "x"})
    assert caught.value.details == {
        "error_code": "thread_unsupported_request",
        "unsupported": ["thread"],
    }


PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "UERG"}}


@pytest.mark.parametrize(
    ("extract", "expected", "reason"),
    [
        (
            lambda data: PdfText(f"text of {data}", "no images"),
            "<document>\ntext of UERG\n</document>",
            "no images",
        ),
        (lambda _: PdfText("", "it is a scan"), None, "a PDF, and it is a scan"),
        (None, None, "does not accept a PDF"),
    ],
)
def test_pdf_text(extract: Any, expected: str | None, reason: str) -> None:
    def run(content: Any) -> ConvertedRequest:
        request = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": content}]}
        return convert_request(request, profile=Profile(), model="up", message_id="m", pdf_text=extract)

    if expected is None:
        with pytest.raises(ApiError, match=reason):
            run([PDF])
    else:
        converted = run([PDF])
        assert converted.body["messages"] == [{"role": "user", "content": expected}]
        (notice,) = [notice for notice in converted.report.loud if notice.code == "document_as_text"]
        assert reason in notice.reason


def test_not_an_object() -> None:
    with pytest.raises(ApiError, match="must be a JSON object"):
        convert_request([], profile=Profile(), model="up", message_id="m")
