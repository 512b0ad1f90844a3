from __future__ import annotations

import copy
from typing import Any

import pytest

from claude_code_proxy.core import wire
from claude_code_proxy.core.errors.corrections import Correction, apply, corrections
from claude_code_proxy.core.providers.profile import Profile
from tests.core.cases import CASES, load

TABLE = [pytest.param(case, id=case["name"]) for case in load(CASES / "error" / "corrections.json")["cases"]]


def made(found: Correction, sent: dict[str, Any]) -> dict[str, Any]:
    """What becomes of `sent`; the correction names a field of it, says why, and touches nothing else."""
    after = apply(found, sent)
    assert found.field in sent
    assert found.reason
    rest = {key: value for key, value in sent.items() if key != found.field}
    assert all(after[key] == value for key, value in rest.items())
    if found.kind == "convert":
        assert after == sent
    return after


@pytest.mark.parametrize("case", TABLE)
def test_correction(case: dict[str, Any]) -> None:
    sent = copy.deepcopy(case["sent"])
    found = corrections(
        case["status"], case["body"], Profile(), sent, input_tokens=case.get("input_tokens", 0)
    )
    if case["expected"] is None:
        assert found is None
    else:
        assert found is not None
        assert made(found, sent) == case["expected"]
    assert sent == case["sent"], "the body that was sent stays as it was"


@pytest.mark.parametrize(
    "words",
    [
        "This model supports at most # completion tokens",
        "the supported range is from 1 (inclusive) to # (exclusive).",
        "cannot be greater than max_model_len=#",
        "maximum context length is # tokens. However, you requested # tokens",
        "prompt is too long: # tokens > # maximum",
    ],
)
def test_numbers_without_end_are_no_limits(words: str) -> None:
    message = f"max_tokens is too large: {words.replace('#', '9' * 5000)}"
    answer = wire.dumps({"error": {"message": message, "code": 400}})
    assert corrections(400, answer, Profile(), {"max_tokens": 32000}, input_tokens=10) is None


def test_renaming_keeps_the_order_and_replaces_a_second_limit() -> None:
    sent = {"a": 1, "max_tokens": 5, "max_completion_tokens": 6, "b": 2}
    body = {"error": {"message": "'max_tokens' is not supported", "param": "max_tokens"}}
    found = corrections(400, body, Profile(), sent)
    assert found is not None
    assert list(apply(found, sent).items()) == [("a", 1), ("max_completion_tokens", 5), ("b", 2)]


SIGNED = {"google": {"thought_signature": "S"}}
FILLER = {"google": {"thought_signature": "skip"}}


def call(number: int, extra: dict[str, Any] | None = None) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": f"c{number}",
        "type": "function",
        "function": {"name": "a", "arguments": "{}"},
    }
    return body if extra is None else {**body, "extra_content": extra}


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize(
    "message",
    [
        "Corrupted thought signature.",
        "Function call is missing a thought_signature in functionCall parts.",
        "Thought signature is not valid.",
        "Unable to verify thoughtSignature",
        "messages.1.content.0: Invalid `signature` in `thinking` block",
        "The encrypted content gAAA could not be verified.",
        "Could not decrypt the encrypted_content of the reasoning item",
        "reasoning_details: failed to decode",
        "Reasoning item is malformed",
    ],
)
@pytest.mark.parametrize("filler", ["", "skip"])
def test_a_refused_state_is_left_out(message: str, status: int, filler: str) -> None:
    question = {"role": "user", "content": "q"}
    made = {"role": "assistant", "content": "x", "reasoning_details": [{"type": "reasoning.encrypted"}]}
    called = {"role": "assistant", "content": None, "tool_calls": [call(1, SIGNED), call(2, SIGNED)]}
    sent = {"messages": [question, made, called]}
    found = corrections(status, {"error": {"message": message}}, Profile(signature_filler=filler), sent)
    assert found is not None
    assert not found.lesson
    after = apply(found, sent)
    calls = [call(1, FILLER if filler else None), call(2)]
    assert after["messages"] == [
        question,
        {"role": "assistant", "content": "x"},
        {"role": "assistant", "content": None, "tool_calls": calls},
    ]
    assert (
        corrections(status, {"error": {"message": message}}, Profile(signature_filler=filler), after) is None
    )


def test_state_is_only_left_out_of_a_list() -> None:
    assert (
        corrections(400, {"error": {"message": "Corrupted thought signature."}}, Profile(), {"input": "q"})
        is None
    )


def test_what_the_caller_may_have_said_helps_once_and_teaches_nothing() -> None:
    body = {"error": {"message": "max_tokens: at most 1024"}}
    sent = {"max_tokens": 9000, "stop": ["END"]}
    found = corrections(400, body, Profile(), sent)
    assert found is not None
    assert found.learned
    assert found.lesson == {"max_output": 1024}
    found = corrections(400, body, Profile(), {**sent, "stop": ["1024"]})
    assert found is not None
    assert (found.value, found.learned, dict(found.lesson)) == (1024, False, {})
