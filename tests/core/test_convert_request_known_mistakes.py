"""Mistakes that other programs between the two protocols were reported for: the request side.

Those that need a server are in tests/server/routes/test_messages_known_mistakes.py. The cases in
tests/cases/request go further into most of these.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from claude_code_proxy.core import providers
from claude_code_proxy.core.convert_answer import message_from_answer
from claude_code_proxy.core.convert_request import convert_request
from claude_code_proxy.core.errors.context import ErrorContext
from claude_code_proxy.core.errors.corrections import apply, corrections
from claude_code_proxy.core.errors.upstream import read_error
from claude_code_proxy.core.providers.profile import Profile

PLAIN = Profile()
HI = {"role": "user", "content": "hi"}
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20)).decode()


def convert(request: dict[str, Any], profile: Profile = PLAIN) -> dict[str, Any]:
    request = {"model": "claude-x", "max_tokens": 1000, "messages": [HI], **request}
    return convert_request(request, profile=profile, model="m", message_id="msg_1").body


def messages(*turns: dict[str, Any], profile: Profile = PLAIN, **more: Any) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = convert({"messages": list(turns), **more}, profile)["messages"]
    return sent


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": [*blocks]}


def model_says(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": [*blocks]}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def call(call_id: str, name: str = "Read", **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


def result(call_id: str, content: Any = "done") -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content}


def thought(words: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": words, "signature": "theirs"}


def tool(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "input_schema": {"type": "object", "properties": {}}, **more}


def roles(sent: list[dict[str, Any]]) -> list[str]:
    return [message["role"] for message in sent]


@pytest.mark.parametrize("content", ["Agents: a", [text("Agents: a")]])
def test_01_a_system_message_stays_where_it_stands(content: Any) -> None:
    wrapped = "<system-reminder>\nAgents: a\n</system-reminder>"
    system = {"role": "system", "content": content}
    (sent,) = messages(HI, system)
    assert sent["role"] == "user"
    assert sent["content"].startswith("hi")
    assert sent["content"].endswith(wrapped)
    later = messages(HI, model_says(text("a")), HI, system)
    assert roles(later) == ["user", "assistant", "user"]
    assert wrapped not in later[0]["content"]
    first = messages(system, HI)
    assert first[0]["content"].startswith(wrapped)
    assert first[0]["content"].endswith("hi")


def test_03_the_attribution_line_does_not_spoil_the_prefix() -> None:
    def sent(value: str, *, as_text: bool) -> Any:
        line = f"x-anthropic-billing-header: cc_version=2.1.330.abc; cch={value};"
        system: Any = f"{line}\nBe brief." if as_text else [text(line), text("Be brief.")]
        quoting = {"role": "user", "content": "what is x-anthropic-billing-header: cch=1; ?"}
        return convert({"system": system, "messages": [quoting]})["messages"]

    for as_text in (True, False):
        assert sent("11111", as_text=as_text) == sent("22222", as_text=as_text)
        assert sent("1", as_text=as_text)[0]["content"] == "Be brief."
        assert sent("1", as_text=as_text)[1]["content"] == "what is x-anthropic-billing-header: cch=1; ?"


def test_04_results_come_before_what_the_user_says() -> None:
    sent = messages(
        HI, model_says(call("t1"), call("t2")), user(text("and NY?"), result("t1"), text("x"), result("t2"))
    )
    assert roles(sent) == ["user", "assistant", "tool", "tool", "user"]
    assert [message["tool_call_id"] for message in sent[2:4]] == ["t1", "t2"]
    assert sent[4]["content"].split() == ["and", "NY?", "x"]


def test_05_a_call_without_a_result_gets_a_neutral_one() -> None:
    sent = messages(HI, model_says(call("t1"), call("t2")), user(result("t1", "real")))
    assert [(message["tool_call_id"], message["content"] == "real") for message in sent[2:]] == [
        ("t1", True),
        ("t2", False),
    ]
    assert "interrupted" in sent[3]["content"]


def test_06_a_result_without_a_call_becomes_the_users_text() -> None:
    sent = messages(HI, model_says(text("a")), user(result("t9", "lost")))
    assert roles(sent) == ["user", "assistant", "user"]
    assert "lost" in sent[2]["content"]
    twice = messages(HI, model_says(call("t1")), user(result("t1", "one"), result("t1", "two")))
    assert roles(twice).count("tool") == 1


def test_07_a_late_result_moves_to_its_call() -> None:
    sent = messages(HI, model_says(call("t1")), user(text("wait")), user(result("t1")))
    assert roles(sent) == ["user", "assistant", "tool", "user"]
    assert sent[3]["content"] == "wait"


@pytest.mark.parametrize("field", ["none", "reasoning_content", "reasoning"])
def test_08_and_09_thinking_is_never_text_of_the_answer(field: Any) -> None:
    history = (HI, model_says(thought("R"), text("T"), call("t1")), user(result("t1")))
    answer = messages(*history, profile=Profile(reasoning_replay=field))[1]
    assert answer["content"] == "T"
    assert answer.get(field) == (None if field == "none" else "R")
    assert "<think" not in json.dumps(answer)


def test_10_deepseek_gets_the_reasoning_of_every_tool_turn() -> None:
    profile = providers.profile_for(api_base="https://api.deepseek.com", model="deepseek-v4-pro")
    with_thought = (HI, model_says(thought("R"), call("t1")), user(result("t1")))
    without = (HI, model_says(call("t1")), user(result("t1"), text("[Request interrupted by user]")))
    assert messages(*with_thought, profile=profile)[1]["reasoning_content"] == "R"
    assert messages(*without, profile=profile)[1]["reasoning_content"] == ""
    assert "reasoning_content" not in messages(*without)[1]


def test_11_no_effort_while_thinking_is_off() -> None:
    profile = providers.profile_named("deepseek")
    asked = {"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}
    body = convert(asked, profile)
    assert body["thinking"] == {"type": "disabled"}
    assert "reasoning_effort" not in body


def test_12_geminis_signature_comes_back_on_its_call() -> None:
    gemini = providers.profile_named("gemini")
    request = {"model": "claude-x", "max_tokens": 10, "messages": [HI], "tools": [tool("Read")]}
    reply = convert_request(request, profile=gemini, model="m", message_id="msg_1").reply
    extra = {"google": {"thought_signature": "S+/="}}
    function = {"name": "Read", "arguments": "{}"}
    made = {"id": "c1", "type": "function", "function": function, "extra_content": extra}
    choice = {"message": {"role": "assistant", "tool_calls": [made]}, "finish_reason": "tool_calls"}
    report = convert_request(request, profile=gemini, model="m", message_id="msg_1").report
    answer, _ = message_from_answer({"choices": [choice]}, gemini, reply, report)
    (use,) = answer["content"]
    turn = messages(HI, model_says(use), user(result(use["id"])), profile=gemini)[1]
    assert turn["tool_calls"][0]["extra_content"] == extra
    foreign = messages(HI, model_says(call("t1")), user(result("t1")), profile=gemini)[1]
    filler = foreign["tool_calls"][0]["extra_content"]["google"]["thought_signature"]
    assert filler == "skip_thought_signature_validator"
    assert "extra_content" not in json.dumps(messages(HI, model_says(call("t1")), user(result("t1"))))


def test_13_an_image_in_a_result_is_not_lost() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    history = (HI, model_says(call("t1")), user(result("t1", [text("ok"), image])))
    sent = messages(*history)
    assert roles(sent) == ["user", "assistant", "tool", "user"]
    assert sent[2]["content"].startswith("ok")
    assert f"data:image/png;base64,{PNG}" in json.dumps(sent[3])
    blind = messages(*history, profile=Profile(vision=False))
    assert roles(blind) == ["user", "assistant", "tool"]
    assert "image omitted" in blind[2]["content"]


def test_14_an_images_bytes_say_what_it_is() -> None:
    webp = base64.b64encode(b"RIFF\x24\0\0\0WEBPVP8 ").decode()
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": webp}}
    assert f"data:image/webp;base64,{webp}" in json.dumps(messages(user(image)))


def test_15_an_images_address_goes_on_and_a_refusal_of_it_comes_back() -> None:
    url = "https://example.com/a.png"
    image = {"type": "image", "source": {"type": "url", "url": url}}
    (sent,) = messages(user(image))
    assert sent["content"] == [{"type": "image_url", "image_url": {"url": url}}]
    refusal = json.dumps({"error": {"message": "remote image URLs are not supported"}}).encode()
    error = read_error(400, {}, refusal, ErrorContext(profile=PLAIN, model="m", api_base="https://x.example"))
    assert error.status == 400
    assert "remote image URLs are not supported" in error.message


def test_16_the_output_limit_is_lowered_and_never_raised() -> None:
    limited = Profile(max_output=8000, thinking_switch="enable_thinking")
    assert convert({"max_tokens": 32_000}, limited)["max_tokens"] == 8000
    assert convert({"max_tokens": 500}, limited)["max_tokens"] == 500
    budget = {"max_tokens": 32_000, "thinking": {"type": "enabled", "budget_tokens": 31_999}}
    assert convert(budget, limited)["thinking_budget"] < 8000


@pytest.mark.parametrize("model", ["o3", "gpt-5", "gpt-5.1-mini"])
def test_17_reasoning_models_get_max_completion_tokens_only(model: str) -> None:
    body = convert({}, providers.profile_for(api_base="https://api.openai.com/v1", model=model))
    assert body["max_completion_tokens"] >= 1000
    assert "max_tokens" not in body


def test_17_the_other_field_is_tried_when_an_unknown_server_asks_for_it() -> None:
    body = convert({})
    words = (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'."
    )
    refusal = {"error": {"message": words, "code": "unsupported_parameter", "param": "max_tokens"}}
    correction = corrections(400, json.dumps(refusal).encode(), PLAIN, body)
    assert correction is not None
    corrected = apply(correction, body)
    assert corrected["max_completion_tokens"] == 1000
    assert "max_tokens" not in corrected


def test_18_nothing_of_anthropics_own_reaches_a_third_party() -> None:
    own = {
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "high"},
        "metadata": {"user_id": '{"session_id":"s"}'},
        "thinking": {"type": "adaptive", "display": "updates"},
        "betas": ["x"],
        "container": "c",
        "mcp_servers": [],
        "cache_control": {"type": "ephemeral"},
        "diagnostics": {},
        "speed": "fast",
    }
    body = convert({**own, "messages": [user({**text("hi"), "cache_control": {"type": "ephemeral"}})]})
    assert not body.keys() & own.keys()
    assert "cache_control" not in json.dumps(body)


def test_20_a_deferred_tool_is_sent_once_it_was_found() -> None:
    tools = [tool("ToolSearch"), tool("Later", defer_loading=True)]
    before = convert({"tools": tools})
    assert [entry["function"]["name"] for entry in before["tools"]] == ["ToolSearch"]
    reference = {"type": "tool_reference", "tool_name": "Later"}
    found = [HI, model_says(call("t1", "ToolSearch")), user(result("t1", [reference]))]
    after = convert({"tools": tools, "messages": found})
    assert [entry["function"]["name"] for entry in after["tools"]] == ["ToolSearch", "Later"]
    assert "Later" in after["messages"][2]["content"]
    assert "defer_loading" not in json.dumps((before, after))


def test_21_server_tools_go_together_with_their_choice() -> None:
    """A request for nothing but a search is answered in tests/server/test_search_service.py."""
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
    body = convert({"tools": [search], "tool_choice": {"type": "auto"}})
    assert not body.keys() & {"tools", "tool_choice"}
    native = Profile(web_search_body={"tools": [{"type": "own_search"}]})
    forced = convert({"tools": [search], "tool_choice": {"type": "tool", "name": "web_search"}}, native)
    assert forced["tools"] == [{"type": "own_search"}]


def test_22_a_tool_has_a_name_and_an_object_of_parameters() -> None:
    body = convert(
        {"tools": [tool(""), {"name": "a", "input_schema": {}}, {"name": "b"}]} | {"stream": False}
    )
    assert [entry["function"]["name"] for entry in body["tools"]] == ["a", "b"]
    assert all(
        entry["function"]["parameters"] == {"type": "object", "properties": {}} for entry in body["tools"]
    )


def test_23_keywords_go_and_properties_of_the_same_name_stay() -> None:
    number = {"type": "integer", "exclusiveMinimum": 0}
    schema = {
        "type": "object",
        "properties": {
            "format": {"type": "string"},
            "pattern": {"type": "string"},
            "list": {"type": "array", "items": number, "uniqueItems": True},
            "either": {"anyOf": [number, {"$ref": "#/$defs/n"}]},
        },
        "$defs": {"n": number},
    }
    tools = [{"name": "a", "input_schema": schema}]
    plain = convert({"tools": tools})["tools"][0]["function"]["parameters"]
    assert plain == schema
    gemini = convert({"tools": tools}, Profile(schema_dialect="gemini"))["tools"][0]["function"]["parameters"]
    assert "exclusiveMinimum" not in json.dumps(gemini)
    assert gemini["properties"].keys() == schema["properties"].keys()  # type: ignore[attr-defined]


def test_24_and_25_names_are_shortened_for_the_provider_only() -> None:
    long = [f"mcp__{'server' * 11}__{end}" for end in ("read", "write")]
    request = {"model": "x", "max_tokens": 9, "messages": [HI], "tools": [*map(tool, long), tool("Bash")]}
    converted = convert_request(request, profile=PLAIN, model="m", message_id="msg_1")
    sent = [entry["function"]["name"] for entry in converted.body["tools"]]
    assert len(set(sent)) == 3
    assert all(len(name) <= 64 for name in sent)
    calls = [{"function": {"name": name, "arguments": "{}"}} for name in (*sent[:2], "bash")]
    choice = {"message": {"role": "assistant", "tool_calls": calls}, "finish_reason": "tool_calls"}
    answer, _ = message_from_answer({"choices": [choice]}, PLAIN, converted.reply, converted.report)
    assert [block["name"] for block in answer["content"]] == [*long, "Bash"]


def test_26_no_empty_text() -> None:
    sent = messages(HI, model_says(text(""), call("t1")), user(result("t1")))
    assert sent[1]["content"] is None


def test_27_cache_marks_stay_here_unless_the_provider_knows_them() -> None:
    marked = {**text("hi"), "cache_control": {"type": "ephemeral"}}
    assert "cache_control" not in json.dumps(messages(user(marked)))
    base = "https://openrouter.ai/api/v1"
    claude = providers.profile_for(api_base=base, model="anthropic/claude-sonnet-4.6")
    assert "cache_control" in json.dumps(messages(user(marked), profile=claude))
    other = providers.profile_for(api_base=base, model="openai/gpt-5")
    assert "cache_control" not in json.dumps(messages(user(marked), profile=other))


EFFORTS = Profile(thinking_switch="reasoning_effort", effort_values=("low", "medium", "high"))
THINKING: list[tuple[Any, str | None, str | None]] = [
    (None, None, "low"),
    (None, "high", "low"),
    ({"type": "disabled"}, None, "low"),
    ({"type": "disabled"}, "max", "low"),
    ({"type": "adaptive"}, None, None),
    ({"type": "adaptive"}, "low", "low"),
    ({"type": "adaptive"}, "medium", "medium"),
    ({"type": "adaptive"}, "high", "high"),
    ({"type": "adaptive"}, "xhigh", "high"),
    ({"type": "adaptive"}, "max", "high"),
    ({"type": "enabled", "budget_tokens": 31_999}, None, "high"),
    ({"type": "enabled", "budget_tokens": 1024}, None, "low"),
]


@pytest.mark.parametrize(("thinking", "effort", "sent"), THINKING)
def test_28_every_wish_to_think_has_one_meaning(thinking: Any, effort: str | None, sent: str | None) -> None:
    request: dict[str, Any] = {} if thinking is None else {"thinking": thinking}
    if effort:
        request["output_config"] = {"effort": effort}
    assert convert(request, EFFORTS).get("reasoning_effort") == sent
