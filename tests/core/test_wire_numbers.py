"""Numbers arrive digit for digit, whichever way they go."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.core import wire
from claude_code_proxy.core.answer_context import ReplyContext
from claude_code_proxy.core.convert_answer import AnswerReader, message_from_answer
from claude_code_proxy.core.convert_request import convert_request
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Report
from claude_code_proxy.core.request import body_json
from claude_code_proxy.core.request.tool_cache import ToolCache

if TYPE_CHECKING:
    from collections.abc import Callable

LITERALS = (
    "0", "-0", "7", "-12", "18446744073709551615", "18446744073709551616", "-9223372036854775809",
    "123456789012345678901234567890", "0.5", "-0.0", "1.10", "0.1000000000000000055511151231257827",
    "3.14159265358979323846264338327950288", "1e400", "-1E+400", "1e-400", "1E5", "1e5", "100000.0", "1e22",
    "9" * 4300, "9" * 4301, "-" + "9" * 4300, "9" * 10_000, "0." + "1" * 10_000,
)  # fmt: skip
APIS = ("chat", "responses")
numbers = pytest.mark.parametrize("literal", LITERALS, ids=lambda text: f"{text[:12]}-{len(text)}")
apis = pytest.mark.parametrize("api", APIS)


@numbers
@pytest.mark.parametrize(
    "form",
    [
        str,
        str.encode,
        lambda text: memoryview(text.encode()),
        lambda text: ("\ufeff" + text).encode(),
        lambda text: text[:-1] + ', "\\ud800"]',
    ],
    ids=["text", "bytes", "memoryview", "byte-order mark", "lone surrogate"],
)
def test_read_and_written(literal: str, form: Callable[[str], Any]) -> None:
    value = wire.loads(form(f'[{{"a": {literal}}}]'))
    assert f'[{{"a":{literal}}}' in wire.dumps_text(value)
    assert f'[{{"a":{literal}}}' in wire.dumps_text(copy.deepcopy(value))
    assert wire.dumps_text(wire.from_base64url(wire.to_base64url(value))) == wire.dumps_text(value)


def test_a_number_is_a_number() -> None:
    assert wire.loads("[1.10, 1e2, -0, 1e400]") == [1.1, 100.0, 0, float("inf")]
    assert wire.loads('"2024-0, -0 "') == "2024-0, -0 "


@apis
@numbers
def test_of_a_request(literal: str, api: Any) -> None:
    schema = f'{{"type":"object","properties":{{"n":{{"type":"number","minimum":{literal}}}}}}}'
    raw = f"""{{"model": "m", "max_tokens": 9, "messages": [
        {{"role": "user", "content": "go"}},
        {{"role": "assistant", "content": [
            {{"type": "tool_use", "id": "t1", "name": "f", "input": {{"n": {literal}, "deep": [[{literal}]]}}}}]}},
        {{"role": "user", "content": [{{"type": "tool_result", "tool_use_id": "t1", "content": "done"}}]}}],
        "tools": [{{"name": "f", "input_schema": {schema}}}]}}""".encode()
    cache = ToolCache("stand-in")
    for _ in ("parsed", "recalled"):
        request = body_json.read(raw.replace(b'"tools": ', b'"tools":'), cache)
        sent = convert_request(request, profile=Profile(api=api), model="m", message_id="x", tool_cache=cache)
        payload = sent.payload.decode()
        assert f'{{\\"n\\":{literal},\\"deep\\":[[{literal}]]}}' in payload
        assert f'"minimum":{literal}}}' in payload


def chat_answer(arguments: str, *, whole: bool) -> bytes:
    call = f'{{"index":0,"id":"c1","function":{{"name":"f","arguments":{arguments}}}}}'
    key = "message" if whole else "delta"
    choice = f'{{"index":0,"{key}":{{"tool_calls":[{call}]}},"finish_reason":"tool_calls"}}'
    body = f'{{"choices":[{choice}],"usage":{{"prompt_tokens":{"9" * 5000},"completion_tokens":1e400}}}}'
    return body.encode() if whole else f"data: {body}\n\ndata: [DONE]\n\n".encode()


def responses_answer(arguments: str, *, whole: bool) -> bytes:
    item = f'{{"type":"function_call","id":"i1","call_id":"c1","name":"f","arguments":{arguments}}}'
    body = f'{{"status":"completed","output":[{item}],"usage":{{"input_tokens":{"9" * 5000}}}}}'
    done = f'{{"type":"response.output_item.done","output_index":0,"item":{item}}}'
    completed = f'{{"type":"response.completed","response":{body}}}'
    return body.encode() if whole else f"data: {done}\n\ndata: {completed}\n\n".encode()


ANSWERS = {"chat": chat_answer, "responses": responses_answer}


def reply() -> ReplyContext:
    return ReplyContext(model="m", message_id="x", tool_names={"f": "f"})


@numbers
@pytest.mark.parametrize(
    ("api", "form"),
    [*((api, form) for api in APIS for form in ("string", "fenced")), ("chat", "object")],
)
def test_of_an_answer(literal: str, api: Any, form: str) -> None:
    text = f'{{"n":{literal},"deep":[[{literal}]]}}'
    written = f"```json\n{text}\n```" if form == "fenced" else text
    arguments = text if form == "object" else json.dumps(written)
    profile = Profile(api=api)
    message, _ = message_from_answer(
        wire.loads(ANSWERS[api](arguments, whole=True)), profile, reply(), Report()
    )
    assert f'"input":{text}' in wire.dumps_text(message)
    reader = AnswerReader(profile, reply(), Report(), "")
    events = reader.feed(ANSWERS[api](arguments, whole=False)) + reader.close()
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert "".join(delta["partial_json"] for delta in deltas) == text


@pytest.mark.parametrize("read", [wire.loads, wire._loads_plainly])
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("7", int), ("-12", int), ("9" * 4300, int), ("9" * 4301, wire.Number), ("-0", wire.Number),
        ("0.5", float), ("-2.25", float), ("1.10", wire.Number), ("1E5", wire.Number), ("1e400", wire.Number),
    ],
)  # fmt: skip
def test_only_what_python_writes_differently_is_special(
    text: str, kind: type, read: Callable[[str], Any]
) -> None:
    """A special number costs time whenever it is written."""
    assert type(read(f"[{text}]")[0]) is kind


@numbers
@pytest.mark.parametrize("length", [0, 20_000])
def test_long_documents_keep_them_too(literal: str, length: int) -> None:
    """What is long is read by another library than what is short."""
    text = f'{{"text":"{"a -0 " * (length // 5)}","input":{{"n":[{literal},true,0]}}}}'
    assert wire.dumps_text(wire.loads(text)) == text
    assert wire.dumps_text(wire.loads(memoryview(text.encode()))) == text


@pytest.mark.parametrize("count", [1, 30_000])
def test_minus_zero_in_a_large_document(count: int) -> None:
    around = [{"text": "a -0 in words, " * 2000}, False, 0.0, *[{"n": [7]}] * count]
    for number in ("-0", "0", "-0.0"):
        text = json.dumps([*around, {"deep": [number]}]).replace(f'"{number}"', number)
        for data in (text, text.encode(), memoryview(text.encode())):
            assert wire.dumps_text(wire.loads(data)).endswith(f'{{"deep":[{number}]}}]')
