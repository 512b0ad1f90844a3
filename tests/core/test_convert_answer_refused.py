"""Empty optional arguments that a tool refused earlier in the conversation, from request to answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claude_code_proxy.core.answer.tool_json import RAW_ARGUMENTS
from claude_code_proxy.core.convert_answer import StreamConverter, message_from_answer
from claude_code_proxy.core.convert_request import ConvertedRequest, convert_request
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.repeats import RepeatingConverter
from claude_code_proxy.core.report import Report
from tests.core import cases

ERROR = '<tool_use_error>Invalid pages parameter: "". Use formats like "1-5".</tool_use_error>'
READ = {
    "name": "Read",
    "input_schema": {
        "type": "object",
        "properties": {"file_path": {"type": "string"}, "pages": {"type": "string"}},
        "required": ["file_path"],
    },
}
EMPTY = '{"file_path":"/b","pages":""}'
OMITTED = '{"file_path":"/b"}'
DEEP = '{"pages":"","file_path":' + "[" * 500 + "]" * 500 + "}"


def convert(
    tool: dict[str, Any] = READ,
    *,
    arguments: dict[str, Any] | None = None,
    result: dict[str, Any] | None = None,
    **profile: Any,
) -> tuple[Profile, ConvertedRequest]:
    """A request whose first call of `tool` got the `result`."""
    name = {"name": tool["name"]} if "name" in tool else {"name": "left_click", "toolset_name": "browser"}
    call = {"type": "tool_use", "id": "toolu_1", **name, "input": arguments or {"pages": ""}}
    answered = {"type": "tool_result", "tool_use_id": "toolu_1", "content": ERROR, "is_error": True}
    request = {
        "model": "m",
        "max_tokens": 100,
        "tools": [tool],
        "messages": [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [answered | (result or {})]},
        ],
    }
    chosen = Profile(**profile)
    return chosen, convert_request(request, profile=chosen, model="up", message_id="msg_1")


def called(profile: Profile, request: ConvertedRequest, text: str, name: str = "Read") -> tuple[str, Report]:
    """The arguments that the client gets for those that the model wrote: whole, and streamed in many ways."""
    report = Report()
    message = {"tool_calls": [{"id": "c", "type": "function", "function": {"name": name, "arguments": text}}]}
    whole = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    folded, _ = message_from_answer(whole, profile, request.reply, report)
    for size in (1, 3, 1000):
        function = {"name": name, "arguments": ""}
        deltas: list[Any] = [{"tool_calls": [{"index": 0, "id": "c", "function": function}]}]
        deltas += [
            {"tool_calls": [{"index": 0, "function": {"arguments": text[at : at + size]}}]}
            for at in range(0, len(text), size)
        ]
        choices: list[Any] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
        choices.append({"index": 0, "delta": {}, "finish_reason": "tool_calls"})
        data = b"".join(b"data: %b\n\n" % json.dumps({"choices": [one]}).encode() for one in choices)
        for converter_of in (lambda plain: plain, RepeatingConverter):
            converter = converter_of(StreamConverter(profile, request.reply, Report(), "req_1"))
            events = cases.parse_events(converter.feed(data) + converter.feed(b"data: [DONE]\n\n"))
            pieces = [event["delta"] for event in events if event["type"] == "content_block_delta"]
            streamed = "".join(piece["partial_json"] for piece in pieces)
            # too deep to be written again, but a stream's pieces are not
            sent = {RAW_ARGUMENTS: text} if text is DEEP else json.loads(streamed)
            assert folded["content"][0]["input"] == sent
    return streamed, report


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        (EMPTY, OMITTED),
        ('{"file_path":"/b","pages":null}', OMITTED),
        ('{}{"pages":[],"file_path":"/b"}', OMITTED),
        ('{"pages":{},"file_path":""}', '{"file_path":""}'),
        ('{"pages":""}', "{}"),
        ('{"file_path":"/b", "pages":"1"}', '{"file_path":"/b", "pages":"1"}'),
        ("[1]", '{"value":[1]}'),
        (DEEP, DEEP),
    ],
)
def test_empty_arguments_that_the_tool_refused_are_left_out(written: str, sent: str) -> None:
    streamed, report = called(*convert(), written)
    assert streamed == sent
    assert ("empty_arguments_omitted" in report.codes) == ("pages" in written and "pages" not in sent)


def test_what_is_no_json_stays_as_the_model_wrote_it() -> None:
    profile, request = convert()
    converter = StreamConverter(profile, request.reply, Report(), "req_1")
    function = {"name": "Read", "arguments": '{"pages":"", x}'}
    delta = {"tool_calls": [{"index": 0, "id": "c", "function": function}]}
    chunk = {"choices": [{"index": 0, "delta": delta, "finish_reason": "tool_calls"}]}
    out = converter.feed(b"data: %b\n\ndata: [DONE]\n\n" % json.dumps(chunk).encode())
    pieces = [event["delta"] for event in cases.parse_events(out) if event["type"] == "content_block_delta"]
    assert [piece["partial_json"] for piece in pieces] == [function["arguments"]]


REQUIRED = {**READ, "input_schema": {**READ["input_schema"], "required": ["pages"]}}  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("why", "changes"),
    [
        ("nothing was refused", {"result": {"is_error": False}}),
        ("the error is about something else", {"result": {"content": "File does not exist."}}),
        ("what was refused was not empty", {"arguments": {"pages": "x"}}),
        ("it has to be there", {"tool": REQUIRED}),
        ("the profile says no", {"omit_refused_arguments": False}),
    ],
)
def test_anything_else_stays(why: str, changes: dict[str, Any]) -> None:
    streamed, report = called(*convert(**changes), EMPTY)
    assert streamed == EMPTY, why
    assert "empty_arguments_omitted" not in report.codes


def test_only_calls_of_that_tool() -> None:
    profile, request = convert()
    streamed, _ = called(profile, request, EMPTY, "Other")
    assert streamed == EMPTY


def test_a_tool_that_is_declared_no_more() -> None:
    _, request = convert({"name": "Other"}, arguments={"pages": ""})
    assert request.reply.left_out_arguments == {"Other": frozenset({"pages"})}
    call = {"type": "tool_use", "id": "toolu_1", "name": "Gone", "input": {"pages": ""}}
    answered = {"type": "tool_result", "tool_use_id": "toolu_1", "content": ERROR, "is_error": True}
    body = {
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "assistant", "content": [call]}, {"role": "user", "content": [answered]}],
    }
    converted = convert_request(body, profile=Profile(), model="up", message_id="msg_1")
    assert converted.reply.left_out_arguments == {}


@pytest.mark.parametrize(
    ("tool", "key"),
    [
        ({"type": "browser_toolset_20260701"}, "browser.left_click"),
        ({"type": "text_editor_20250728", "name": "edit"}, "edit"),
    ],
)
def test_tools_that_their_type_describes(tool: dict[str, Any], key: str) -> None:
    result = {"content": "modifiers, insert_text and command must not be empty, nor target"}
    arguments = {"modifiers": "", "insert_text": "", "command": "", "target": ""}
    _, request = convert(tool, arguments=arguments, result=result)
    left_out = {"browser.left_click": {"modifiers", "insert_text", "command"}}
    assert request.reply.left_out_arguments[key] == left_out.get(key, arguments.keys())
