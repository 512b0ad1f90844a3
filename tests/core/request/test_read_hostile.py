"""Any JSON value is a request or a 400, never a crash; unknown things never break one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_code_proxy.core import wire
from claude_code_proxy.core.convert_request import convert_request
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.providers.profile import Profile
from tests.core.openai.sdk_types import check_order

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
TYPES = st.sampled_from(
    [
        "text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking",
        "search_result", "server_tool_use", "web_search_tool_result", "tool_reference", "browser_state",
        "container_upload", "compaction", "fallback", "mcp_tool_use", "novel", "tool_addition",
        "tool_removal", "base64", "url", "content", "enabled", "disabled", "json_schema", "auto", "any",
        "tool", "web_search_20250305", "custom", "bash_20250124", "clear_thinking_20251015",
    ]
)  # fmt: skip
FIELDS = st.sampled_from(
    [
        "text", "id", "name", "input", "tool_use_id", "content", "source", "data", "media_type", "url",
        "signature", "thinking", "is_error", "cache_control", "tool", "definition", "input_schema",
        "tool_name", "title", "schema", "keep", "value", "defer_loading", "strict", "error_code",
    ]
)  # fmt: skip
NAMES = st.sampled_from(["t1", "t2", "Read", "px1.e30", "px1_W10", "", "x-anthropic-billing-header:"])


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(
        lambda kind, rest: {"type": kind, **rest},
        TYPES,
        st.dictionaries(FIELDS, inner | NAMES | st.lists(inner, max_size=3), max_size=5),
    )


BLOCKS = st.recursive(JSON, objects, max_leaves=6)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system"]), "content": st.lists(BLOCKS, max_size=4)}
    )
    | JSON,
    max_size=5,
)
KEYS = (
    "system", "tools", "tool_choice", "thinking", "output_config", "output_format", "metadata", "stream",
    "temperature", "top_p", "top_k", "stop_sequences", "context_management", "service_tier", "thread",
)  # fmt: skip
REQUESTS = st.builds(
    lambda messages, rest: {"model": "m", "max_tokens": 10, "messages": messages, **rest},
    MESSAGES,
    st.dictionaries(st.sampled_from(KEYS), BLOCKS | st.lists(BLOCKS, max_size=3), max_size=3),
)
PROFILES = st.sampled_from(
    [
        Profile(),
        Profile(schema_dialect="gemini", reasoning_replay="reasoning_details", tool_id="alnum9"),
        Profile(cache_control="openai_breakpoint", mid_system="keep", tool_result_images="inline"),
        Profile(mid_system="hoist", reasoning_replay="think_tags", user_after_tool="bridge", pdf="file_part"),
    ]
)


def convert_or_refuse(request: Any, profile: Profile) -> dict[str, Any] | None:
    try:
        converted = convert_request(request, profile=profile, model="m", message_id="msg_1")
    except ApiError as error:
        if error.status != 400 or not error.message:
            raise
        return None
    assert wire.dumps(converted.body)
    check_order(converted.body["messages"])
    return converted.body


@given(JSON, PROFILES)
def test_any_json_value(value: Any, profile: Profile) -> None:
    convert_or_refuse(value, profile)


@settings(max_examples=400)
@given(REQUESTS, PROFILES)
def test_any_request_like_value(value: Any, profile: Profile) -> None:
    convert_or_refuse(value, profile)


def nested(depth: int, key: str = "a") -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {key: value}
    return value


def message(*blocks: Any, role: str = "user") -> dict[str, Any]:
    return {"model": "m", "max_tokens": 1, "messages": [{"role": role, "content": list(blocks)}]}


@pytest.mark.parametrize("depth", [240, 248, 249, 250, 251, 252, 253, 254, 255, 600])
@pytest.mark.parametrize(
    "place",
    [
        lambda deep: message({"type": "tool_use", "id": "t", "name": "x", "input": deep}, role="assistant"),
        lambda deep: {
            **message({"type": "text", "text": "x"}),
            "tools": [{"name": "x", "input_schema": deep}],
        },
        lambda deep: {
            **message({"type": "text", "text": "x"}),
            "output_config": {"format": {"type": "json_schema", "schema": deep}},
        },
        lambda deep: {**message({"type": "text", "text": "x"}), "novel": deep},
    ],
)
def test_deep_nesting_is_sent_or_refused(place: Any, depth: int) -> None:
    profile = Profile(accept_params=("novel",))
    body = convert_or_refuse(place(nested(depth)), profile)
    assert (body is None) is (depth > 254) or 245 < depth < 256


def test_lone_surrogates_and_nan() -> None:
    request = wire.loads(
        rb'{"model":"m","max_tokens":1,"metadata":{"user_id":"\ud800"},"messages":[{"role":"user","content":'
        rb'"\ud83d"},{"role":"assistant","content":[{"type":"tool_use","id":"\ud800","name":"n\udfff",'
        rb'"input":{"a":"\ud800"}}]}]}'
    )
    body = convert_or_refuse(request, Profile(send_user="user", tool_id="alnum9"))
    assert body is not None
    wire.dumps(body).decode("utf-8")
    assert convert_or_refuse({**request, "temperature": float("nan")}, Profile()) is None
    assert convert_or_refuse({**request, "temperature": 10**400}, Profile()) is None


@pytest.mark.parametrize(("stops", "refused"), [(["x" * 8000, "y" * 8000], False), (["x" * 20_000], True)])
def test_stop_sequences_may_not_be_endless(stops: list[str], refused: bool) -> None:
    messages = [{"role": "user", "content": "hi"}]
    body = {"model": "m", "max_tokens": 5, "messages": messages, "stop_sequences": stops}
    try:
        convert_request(body, profile=Profile(), model="m", message_id="msg_1")
    except ApiError as error:
        said = error.message
    else:
        said = ""
    assert ("stop_sequences" in said) is refused
