"""What kind a request is of, and which rules it fits."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_code_proxy.core.request.request_kind import CLASSES, KINDS, Rule, class_of, fitting
from tests import paths

TITLE = {"format": {"type": "json_schema", "schema": {"properties": {"title": {"type": "string"}}}}}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}
CLASS_HEADER = "x-claude-code-request-class"

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
BODIES = st.dictionaries(st.sampled_from(("tools", "output_config", "stream", "stop_sequences")), VALUES)


def fit(request_class: str, body: dict[str, Any], length: int = 0, *rules: Rule) -> list[str]:
    chosen = rules or tuple(Rule(kind, "x", 100 if kind == "long_context" else 0) for kind in KINDS)
    return [rule.kind for rule in fitting(chosen, request_class, body, lambda: length)]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        *(({CLASS_HEADER: name}, name) for name in CLASSES),
        ({}, ""),
        ({CLASS_HEADER: "new-word"}, ""),
        ({"x-claude-code-agent-id": "a1"}, "subagent"),
        ({CLASS_HEADER: "compaction", "x-claude-code-agent-id": "a1"}, "compaction"),
    ],
)
def test_the_class_by_the_headers(headers: dict[str, str], expected: str) -> None:
    assert class_of(headers) == expected


@pytest.mark.parametrize(
    ("request_class", "body", "expected"),
    [
        ("main", {"tools": [{"name": "Bash"}], "stream": True}, ["main"]),
        ("subagent", {"stream": True}, ["subagent"]),
        ("", {"stream": True, "tools": []}, []),
        ("auxiliary", {"output_config": TITLE, "tools": [], "stream": True}, ["auxiliary", "title"]),
        ("", {"output_config": TITLE}, ["title"]),
        ("main", {"output_config": TITLE, "tools": [{"name": "Bash"}]}, ["main"]),
        ("auxiliary", {"tools": [SEARCH], "stream": True}, ["auxiliary", "web_search"]),
        ("", {"tools": [SEARCH, SEARCH]}, ["web_search"]),
        ("", {"tools": [SEARCH, {"name": "Bash"}]}, []),
        ("", {"tools": "web_search"}, []),
        ("auxiliary", {"stop_sequences": ["</block>"]}, ["auxiliary", "classifier"]),
        ("auxiliary", {"stop_sequences": ["</block>"], "stream": True}, ["auxiliary"]),
        ("auxiliary", {"stop_sequences": []}, ["auxiliary"]),
        ("", {"stop_sequences": ["</block>"]}, []),
    ],
)
def test_what_fits(request_class: str, body: dict[str, Any], expected: list[str]) -> None:
    assert fit(request_class, body) == expected


def test_the_order_of_the_rules_and_the_length() -> None:
    rules = (Rule("long_context", "far", 100), Rule("main", "x"), Rule("long_context", "near", 10))
    assert [rule.to for rule in fitting(rules, "main", {}, lambda: 50)] == ["x", "near"]
    assert [rule.to for rule in fitting(rules, "main", {}, lambda: 101)] == ["far", "x", "near"]
    assert next(fitting(rules[1:], "main", {}, lambda: 1 // 0)).to == "x"  # nothing is counted in vain


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("18_title_side_call", ["title"]),
        ("13_web_search_server_tool", ["web_search"]),
        ("14_subagent_explore_haiku", ["subagent"]),
        ("330_04_subagent_explore", ["subagent"]),
        ("24_compaction", []),
        ("01_first_turn_unknown_model", []),
    ],
)
def test_the_requests_of_the_real_client(name: str, expected: list[str]) -> None:
    recorded = json.loads((paths.FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
    headers = {key.lower(): value for key, value in recorded["headers"].items()}
    assert fit(class_of(headers), recorded["body"]) == expected


@given(st.sampled_from((*CLASSES, "")), BODIES, st.integers(0, 200))
def test_any_object_has_a_kind(request_class: str, body: dict[str, Any], length: int) -> None:
    found = fit(request_class, body, length)
    assert [kind for kind in found if kind in CLASSES] == ([request_class] if request_class else [])
    assert ("long_context" in found) == (length > 100)
