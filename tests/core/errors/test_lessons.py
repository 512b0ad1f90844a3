"""What each refusal teaches about a model, as the profile fields a person would write into models.yaml."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from claude_code_proxy.core.convert_request import convert_request
from claude_code_proxy.core.errors import lessons
from claude_code_proxy.core.errors.corrections import apply, corrections
from claude_code_proxy.core.providers.profile import Profile
from tests.core.cases import CASES, load
from tests.core.errors.test_corrections import made

TABLE = [pytest.param(case, id=case["name"]) for case in load(CASES / "error" / "lessons.json")["cases"]]


def profile(fields: dict[str, Any]) -> Profile:
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()
    }
    return Profile(**values)


@pytest.mark.parametrize("case", TABLE)
def test_lesson(case: dict[str, Any]) -> None:
    found = corrections(case["status"], case["body"], profile(case["profile"]), case["sent"])
    if case["kind"] is None:
        assert found is None
        return
    assert found is not None
    lesson = {key: list(value) if isinstance(value, tuple) else value for key, value in found.lesson.items()}
    assert (found.kind, lesson) == (case["kind"], case["lesson"])
    assert found.learned == case.get("learned", True)
    made(found, case["sent"])
    replace(profile(case["profile"]), **found.lesson)  # names fields that there are


REQUEST: dict[str, Any] = {
    "model": "m",
    "max_tokens": 32000,
    "temperature": 0.5,
    "stop_sequences": ["END"],
    "tools": [
        {
            "name": "a",
            "input_schema": {
                "type": "object",
                "properties": {"n": {"type": "integer", "exclusiveMinimum": 0}},
            },
        }
    ],
    "tool_choice": {"type": "any"},
    "messages": [{"role": "user", "content": "hi"}],
}


@pytest.mark.parametrize(
    "message",
    [
        "max_tokens is too large: 32000. This model supports at most 8192 completion tokens",
        "Unsupported parameter: 'max_tokens' is not supported with this model.",
        "Unsupported value: 'temperature' does not support 0.5 with this model.",
        "Unsupported parameter: 'stop' is not supported with this model.",
        "tool_choice 'required' is not supported",
        "Unknown name \"exclusiveMinimum\" at 'tools[0].function_declarations[0]': Cannot find field.",
    ],
)
def test_a_request_converted_by_the_lesson_is_what_the_correction_made(message: str) -> None:
    before = convert_request(REQUEST, profile=Profile(), model="m", message_id="msg_1")
    found = corrections(400, {"error": {"message": message}}, Profile(), before.body)
    assert found is not None
    taught = replace(Profile(), **found.lesson)
    after = convert_request(REQUEST, profile=taught, model="m", message_id="msg_1")
    assert after.body != before.body
    assert apply(found, after.body) == after.body, "nothing is left to correct"
    assert corrections(400, {"error": {"message": message}}, taught, after.body) is None
    if "stop" not in after.body:
        assert after.reply.local_stop_sequences == ("END",)


@pytest.mark.parametrize(
    ("field", "reason", "of_the_api"),
    [
        ("drop_params", "temperature is not supported with this model", True),
        ("drop_params", "temperature is not supported on the free tier", False),
        ("thinking_switch", "Your organization must be verified to use reasoning", False),
        ("max_output", "at most 8192", False),
        ("context_window", "at most 8192", False),
    ],
)
def test_what_says_nothing_of_an_account(field: str, reason: str, of_the_api: bool) -> None:
    assert lessons.is_of_the_api(field, reason) is of_the_api
