from __future__ import annotations

import copy
from typing import Any

import pytest

from claude_code_proxy.core.errors.corrections import apply, corrections
from claude_code_proxy.core.providers.profile import Profile
from tests.core.cases import CASES, load

TABLE = [pytest.param(case, id=case["name"]) for case in load(CASES / "error" / "corrections.json")["cases"]]


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
        assert apply(found, sent) == case["expected"]
        assert found.reason
    assert sent == case["sent"], "the body that was sent stays as it was"


def test_renaming_keeps_the_order_and_replaces_a_second_limit() -> None:
    sent = {"a": 1, "max_tokens": 5, "max_completion_tokens": 6, "b": 2}
    body = {"error": {"message": "'max_tokens' is not supported", "param": "max_tokens"}}
    found = corrections(400, body, Profile(), sent)
    assert found is not None
    assert list(apply(found, sent).items()) == [("a", 1), ("max_completion_tokens", 5), ("b", 2)]
