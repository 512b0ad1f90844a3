"""What breaks a session with a provider that is converted naively: one test for each known danger.

The requests go through the rows of `core.providers`, so a row that loses the field that saves it fails here.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from claude_code_proxy.core import providers
from claude_code_proxy.core.convert_answer import StreamConverter, StreamFold, message_from_answer
from claude_code_proxy.core.convert_request import ConvertedRequest, convert_request
from claude_code_proxy.core.errors.context import ErrorContext
from claude_code_proxy.core.errors.upstream import read_error
from claude_code_proxy.core.openai.usage import read_usage
from tests.core.cases import parse_events
from tests.core.providers.cases import cases

TOOL = {"name": "Read", "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}}}
THINKING = {"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}}


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


def call(name: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": name, "name": "Read", "input": {"path": name}}


def result(name: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": name, "content": f"content of {name}"}


def thought(text: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": text, "signature": ""}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def assistant(*content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(content)}


def request(*messages: Any, **fields: Any) -> dict[str, Any]:
    asked = list(messages) or [user(text("hi"))]
    return {"model": "m", "max_tokens": 1000, "tools": [TOOL], "messages": asked, **fields}


def converted(name: str, model: str, asked: dict[str, Any]) -> ConvertedRequest:
    profile = providers.profile_for(api_base="", model=model, name=name)
    return convert_request(asked, profile=profile, model=model, message_id="msg_1")


def sent(name: str, model: str, asked: dict[str, Any]) -> dict[str, Any]:
    return converted(name, model, asked).body


def replayed(name: str, model: str, asked: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """The next request to the same model, after a client has taken `answer` and run its tools."""
    first = converted(name, model, asked)
    profile = providers.profile_for(api_base="", model=model, name=name)
    whole = {"object": "chat.completion", "choices": [{"message": answer, "finish_reason": "tool_calls"}]}
    message, _ = message_from_answer(json.loads(json.dumps(whole)), profile, first.reply, first.report)
    results = [result(block["id"]) for block in message["content"] if block["type"] == "tool_use"]
    history = [*asked["messages"], assistant(*message["content"]), user(*results, text("go on"))]
    return {**asked, "messages": history}


def upstream_call(call_id: str, **more: Any) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": "Read", "arguments": "{}"}, **more}


# --- reasoning ----------------------------------------------------------------------------------------
def test_deepseek_gets_the_reasoning_of_every_earlier_tool_turn() -> None:
    body = sent(
        "deepseek",
        "deepseek-v4-pro",
        request(
            user(text("one")),
            assistant(thought("first"), call("a")),
            user(result("a")),
            assistant(thought("second"), call("b")),
            user(result("b"), text("two")),  # a new question: the turns before it still count
            assistant(call("c")),  # interrupted, or made by a model that did not think
            user(result("c")),
            assistant(thought("third"), text("done")),
            user(text("three")),
            **THINKING,
        ),
    )
    turns = [message for message in body["messages"] if message["role"] == "assistant"]
    assert [turn.get("reasoning_content") for turn in turns] == ["first", "second", "", "third"]


def test_kimi_gets_something_where_there_was_no_reasoning() -> None:
    body = sent(
        "kimi", "kimi-k2.6", request(user(text("q")), assistant(call("a")), user(result("a")), **THINKING)
    )
    assert body["messages"][1]["reasoning_content"] == " "


def test_openrouter_gets_one_encrypted_entry_a_turn_and_only_from_its_own_upstream() -> None:
    entry = {"type": "reasoning.encrypted", "data": "E==", "id": "call_1", "format": "google", "index": 0}
    answer: dict[str, Any] = {
        "content": None,
        "tool_calls": [upstream_call("call_1"), upstream_call("call_2")],
    }
    answer |= {"reasoning": "hm", "reasoning_details": [entry]}
    asked = request(user(text("q")), **THINKING)
    following = replayed("openrouter", "google/gemini-4-argon", asked, answer)
    body = sent("openrouter", "google/gemini-4-argon", following)
    assert body["messages"][1]["reasoning_details"] == [entry]
    other = sent("openrouter", "anthropic/claude-opus-5.5", {**following, "model": "another"})
    assert "E==" not in json.dumps(other), "another upstream cannot read it, and refuses it"


# --- tool calls ---------------------------------------------------------------------------------------
def test_kimi_gets_its_tool_ids_back_byte_for_byte_also_when_they_repeat() -> None:
    asked = request(user(text("q")))
    for _ in range(3):
        answer = {
            "content": "",
            "tool_calls": [upstream_call("functions.Read:0"), upstream_call("functions.Read:1")],
        }
        asked = replayed("kimi", "kimi-k3", asked, answer)
    client_ids = [
        block["id"]
        for message in asked["messages"][1::2]
        for block in message["content"]
        if block["type"] == "tool_use"
    ]
    assert len(set(client_ids)) == 6, "the client drops a call whose id it has seen"
    body = sent("kimi", "kimi-k3", asked)
    ids = [
        [made["id"] for made in message["tool_calls"]]
        for message in body["messages"]
        if "tool_calls" in message
    ]
    assert ids == [["functions.Read:0", "functions.Read:1"]] * 3
    answered = [message["tool_call_id"] for message in body["messages"] if message["role"] == "tool"]
    assert answered == ["functions.Read:0", "functions.Read:1"] * 3


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "Read"}])
@pytest.mark.parametrize(
    ("name", "model"),
    [("glm", "glm-5.3"), ("glm", "glm-4.7"), ("qwen", "qwen3.8-max"), ("deepseek", "deepseek-v4-pro")],
)
def test_no_forced_tool_choice_while_thinking(name: str, model: str, choice: dict[str, Any]) -> None:
    found = converted(name, model, request(tool_choice=choice, stream=True, **THINKING))
    assert found.body.get("tool_choice", "auto") == "auto"
    assert "tool_choice_relaxed" in found.report.codes


@pytest.mark.parametrize("stated", [{"thinking": {"type": "disabled"}}, {}])
def test_qwen_takes_a_forced_choice_while_it_does_not_think(stated: dict[str, Any]) -> None:
    asked = request(tool_choice={"type": "any"}, stream=True, **stated)
    assert sent("qwen", "qwen3.8-max", asked)["tool_choice"] == "required"


SWITCHED_OFF: dict[tuple[str, str], dict[str, Any]] = {
    ("deepseek", "deepseek-v4-pro"): {"thinking": {"type": "disabled"}},
    ("kimi", "kimi-k2.6"): {"thinking": {"type": "disabled"}},
    ("glm", "glm-4.7"): {"thinking": {"type": "disabled"}},
    ("qwen", "qwen3.8-max"): {"enable_thinking": False},
    ("doubao", "doubao-seed-2-1-pro-260628"): {"thinking": {"type": "disabled"}},
    ("siliconflow", "deepseek-ai/DeepSeek-V3.2"): {"enable_thinking": False},
    ("openrouter", "deepseek/deepseek-v4-pro"): {"reasoning": {"enabled": False}},
    ("vllm", "Qwen/Qwen3-32B"): {"chat_template_kwargs": {"enable_thinking": False}},
    ("openai", "gpt-5.1"): {"reasoning_effort": "none"},
}


@pytest.mark.parametrize(("name", "model"), SWITCHED_OFF)
def test_a_request_that_does_not_ask_for_thinking_switches_it_off(name: str, model: str) -> None:
    """Claude Code's title and classifier requests have small limits, which reasoning would use up."""
    found = converted(name, model, request(max_tokens=64, output_config={"effort": "high"}))
    assert SWITCHED_OFF[name, model].items() <= found.body.items()
    assert 64 in (found.body.get("max_tokens"), found.body.get("max_completion_tokens"))


def test_gemini_gets_all_calls_before_all_results_and_the_signature_on_the_first() -> None:
    signature = {"extra_content": {"google": {"thought_signature": "sig+/="}}}
    calls = [upstream_call("call_1", **signature), upstream_call("call_2")]
    following = replayed("gemini", "gemini-4-argon", request(), {"content": None, "tool_calls": calls})
    body = sent("gemini", "gemini-4-argon", following)
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "tool", "tool", "user"]
    first, second = body["messages"][1]["tool_calls"]
    assert first["extra_content"] == signature["extra_content"]
    assert "extra_content" not in second
    assert [message["tool_call_id"] for message in body["messages"][2:4]] == ["call_1", "call_2"]


def test_gemini_gets_a_stand_in_for_the_signature_of_another_providers_call() -> None:
    asked = request(user(text("q")), assistant(call("a"), call("b")), user(result("a"), result("b")))
    first, second = sent("gemini", "gemini-4-argon", asked)["messages"][1]["tool_calls"]
    assert first["extra_content"]["google"]["thought_signature"]
    assert "extra_content" not in second


# --- fields -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", providers.PROFILE_NAMES)
def test_never_both_limit_fields(name: str) -> None:
    """Ark answers with an error where both are there."""
    body = sent(name, "model", request())
    assert not {"max_tokens", "max_completion_tokens"} <= body.keys()


def test_ark_gets_the_limit_that_counts_thinking() -> None:
    body = sent("doubao", "doubao-seed-2-1-pro-260628", request(max_tokens=200_000))
    assert body["max_completion_tokens"] == 65_536
    assert "max_tokens" not in body


GROQ_MESSAGE_FIELDS = {"role", "content", "tool_calls", "tool_call_id"}


def test_groq_gets_no_unknown_message_field() -> None:
    asked = request(
        user({**text("q"), "cache_control": {"type": "ephemeral"}}),
        assistant(thought("hm"), text("I look"), call("a")),
        user({**result("a"), "is_error": True}),
        system=[{**text("s"), "cache_control": {"type": "ephemeral"}}],
        **THINKING,
    )
    for message in sent("groq", "openai/gpt-oss-120b", asked)["messages"]:
        assert message.keys() <= GROQ_MESSAGE_FIELDS
        assert "cache_control" not in json.dumps(message)


@pytest.mark.parametrize("tools", [None, [], [{"type": "web_search_20250305", "name": "web_search"}]])
@pytest.mark.parametrize("name", ["mistral", "groq", "custom"])
def test_mistral_and_others_get_no_empty_list_of_tools(name: str, tools: Any) -> None:
    asked = {key: value for key, value in request(tools=tools).items() if value is not None}
    body = sent(name, "model", asked)
    assert "tools" not in body
    assert "tool_choice" not in body


def test_mistral_gets_no_field_it_does_not_know() -> None:
    asked = request(stream=True, metadata={"user_id": "u"}, top_k=3, **THINKING)
    known = {"model", "messages", "max_tokens", "tools", "stream", "reasoning_effort"}
    assert sent("mistral", "mistral-large-4", asked).keys() <= known


# --- usage --------------------------------------------------------------------------------------------
def test_xai_counts_reasoning_outside_the_completion() -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "total_tokens": 310,
        "completion_tokens_details": {"reasoning_tokens": 200},
    }
    counted = read_usage(usage)
    assert counted is not None
    assert (counted.output_tokens, counted.thinking_tokens) == (210, 200)
    inside = read_usage({**usage, "completion_tokens": 210})
    assert inside is not None
    assert inside.output_tokens == 210


# --- errors -------------------------------------------------------------------------------------------
ERRORS: list[tuple[str, int, Any, int, str, str]] = [
    (
        "together",
        403,
        {
            "error": {
                "message": "This model's maximum context length is 32768 tokens. However, you requested 40000 tokens"
            }
        },
        400,
        "invalid_request_error",
        "prompt is too long: 40000 tokens > 32768 maximum",
    ),
    (
        "gemini",
        400,
        [
            {
                "error": {
                    "code": 400,
                    "message": "API key not valid. Please pass a valid API key.",
                    "status": "INVALID_ARGUMENT",
                }
            }
        ],
        401,
        "authentication_error",
        "the upstream at https://x.example refused the API key; it is the key sent with this request",
    ),
    (
        "xai",
        400,
        {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: [key]"},
        401,
        "authentication_error",
        "the upstream at https://x.example refused the API key; it is the key sent with this request",
    ),
    ("nim", 404, "404 page not found", 500, "api_error", "404 page not found"),
    ("ollama", 500, "upstream connect error", 500, "api_error", "upstream connect error"),
    ("lmstudio", 400, '"just a sentence"', 400, "invalid_request_error", "just a sentence"),
    ("minimax", 400, '{"detail": "Not like this"}', 400, "invalid_request_error", "Not like this"),
]


@pytest.mark.parametrize(("name", "status", "body", "becomes", "kind", "says"), ERRORS)
def test_error(name: str, status: int, body: Any, becomes: int, kind: str, says: str) -> None:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    error = read_error(
        status,
        {},
        raw,
        ErrorContext(
            profile=providers.profile_for(api_base="", model="m", name=name),
            model="m",
            api_base="https://x.example",
        ),
    )
    assert (error.status, error.type) == (becomes, kind)
    assert says in error.message


WORDS = cases("overflow")


@pytest.mark.parametrize("case", WORDS, ids=lambda case: str(case["provider"]))
def test_each_providers_overflow_makes_claude_code_compact(case: dict[str, Any]) -> None:
    error = read_error(
        case["status"],
        {},
        json.dumps(case["body"]).encode(),
        ErrorContext(
            profile=providers.profile_for(api_base="", model=case["model"], name=case["provider"]),
            model="m",
            input_tokens=300_000,
            max_tokens=1000,
        ),
    )
    assert (error.status, error.type, error.message) == (400, "invalid_request_error", case["message"])
    assert "x-should-retry" not in error.headers


def test_every_provider_has_an_overflow() -> None:
    assert {case["provider"] for case in WORDS} == {*providers.PROFILE_NAMES} - {"custom"}


OVERFLOWS = [
    {"error": {"code": 400, "message": "Your input exceeds the context window of this model."}},
    {"choices": [{"error": {"message": "Context size has been exceeded."}, "finish_reason": "error"}]},
    {"base_resp": {"status_code": 2013, "status_msg": "invalid params, context window exceeds limit"}},
]


@pytest.mark.parametrize("payload", OVERFLOWS)
@pytest.mark.parametrize("streamed", [False, True])
def test_an_overflow_inside_a_200_has_the_numbers_that_make_claude_code_compact(
    payload: dict[str, Any], streamed: bool
) -> None:
    found = converted("minimax", "MiniMax-M3", request())
    profile = providers.profile_for(api_base="", model="MiniMax-M3", name="minimax")
    reply = _reply(found, errors=ErrorContext(profile=profile, input_tokens=1_200_000))
    chunk = b"data: " + json.dumps(payload).encode() + b"\n\n"
    reader = StreamConverter(profile, reply, found.report, "req_1") if streamed else None
    if reader is not None:
        begun = reader.begin()
        (error,) = [event for event in parse_events(begun + reader.feed(chunk)) if event["type"] == "error"]
        message = error["error"]["message"]
    else:
        fold = StreamFold(profile, reply, found.report)
        fold.feed(chunk)
        with pytest.raises(Exception, match="prompt is too long") as caught:
            fold.close()
        message = str(caught.value)
    assert message == "prompt is too long: 1200000 tokens > 1000000 maximum"


def test_a_wrong_key_inside_a_200_is_named_and_masked() -> None:
    found = converted("minimax", "MiniMax-M3", request())
    profile = providers.profile_for(api_base="", model="MiniMax-M3", name="minimax")
    reply = _reply(
        found,
        errors=ErrorContext(
            profile=profile, api_base="https://api.minimax.io/v1", secret="planted-4711-secret"
        ),
    )
    reader = StreamConverter(profile, reply, found.report, "req_1")
    begun = reader.begin()
    told = {"base_resp": {"status_code": 1004, "status_msg": "login fail: planted-4711-secret"}}
    out = begun + reader.feed(b"data: " + json.dumps(told).encode() + b"\n\n")
    assert b"planted-4711" not in out
    assert "planted-4711" not in repr(reply)
    (error,) = [event for event in parse_events(out) if event["type"] == "error"]
    assert "at https://api.minimax.io/v1 refused the API key" in error["error"]["message"]


def _reply(found: ConvertedRequest, **fields: Any) -> Any:
    from dataclasses import replace

    return replace(found.reply, **fields)


# --- thinking -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "model", "effort"),
    [("mistral", "mistral-medium-3-5", "high"), ("nim", "deepseek-ai/deepseek-v4-pro", "high")],
)
def test_a_wish_for_less_thinking_never_turns_it_off(name: str, model: str, effort: str) -> None:
    body = sent(name, model, request(**THINKING))
    assert body["reasoning_effort"] == effort
    off = sent(name, model, request(thinking={"type": "disabled"}))
    assert off["reasoning_effort"] == "none"
