"""What the demo's model answers: cases/demo/answers.json."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claude_code_proxy.demo import strictness
from claude_code_proxy.demo.rules import answer, sample
from tests import paths

CASES = json.loads((paths.CASES / "demo/answers.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_answer(case: dict[str, Any]) -> None:
    strictness.check(case["request"])
    expected = case["answer"]
    given = answer(case["request"])
    assert [[call.name, call.arguments] for call in given.calls] == expected["calls"]
    assert bool(given.reasoning) == expected["reasons"]
    if "text" in expected:
        assert given.text == expected["text"]
    for part in expected.get("text_contains", ()):
        assert part in given.text


def test_long_text_is_quoted_in_part() -> None:
    given = answer({"model": "demo", "messages": [{"role": "user", "content": "x" * 5000}]})
    assert len(given.text) < 2100
    assert given.text.endswith("…”.")


def test_sample_of_a_schema_without_a_type() -> None:
    assert sample({"properties": {"a": {}}, "required": ["a"]}, "t") == {"a": "t"}
