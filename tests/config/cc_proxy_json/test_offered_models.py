"""Which format a model of a provider speaks, by the provider's own list."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.config.cc_proxy_json.offered_models import entries_of, offered_file, read_offered

if TYPE_CHECKING:
    from pathlib import Path

CHAT, RESPONSES, MESSAGES = "/chat/completions", "/responses", "/v1/messages"
ON_RESPONSES = {"api": "responses", "reasoning_replay": "responses_item"}


def row(endpoints: Any, **limits: Any) -> dict[str, Any]:
    return {"id": "m", "supported_endpoints": endpoints, "capabilities": {"limits": limits}}


@pytest.mark.parametrize(
    ("given", "entry"),
    [
        (row([CHAT]), {"api": "chat"}),
        (row([CHAT, RESPONSES, "ws:/responses"]), ON_RESPONSES),
        (row([RESPONSES]), ON_RESPONSES),
        (row([CHAT, MESSAGES]), {"format": "anthropic"}),
        (
            row([CHAT], max_context_window_tokens=200_000, max_output_tokens=16_000),
            {"api": "chat", "context": 200_000, "max_tokens": 16_000},
        ),
        (
            row(
                [CHAT], max_context_window_tokens=400_000, max_prompt_tokens=128_000, max_output_tokens=16_000
            ),
            {"api": "chat", "context": 144_000, "max_tokens": 16_000},
        ),
        (row([CHAT], max_prompt_tokens=128_000), {"api": "chat"}),
        (row([CHAT], max_context_window_tokens="x", max_output_tokens=-1), {"api": "chat"}),
        ({"id": "m", "supported_endpoints": [CHAT], "capabilities": {"limits": None}}, {"api": "chat"}),
        ({"id": "m", "supported_endpoints": [CHAT], "capabilities": []}, {"api": "chat"}),
    ],
)
def test_an_entry(given: dict[str, Any], entry: dict[str, Any]) -> None:
    assert entries_of([given]) == {"m": entry}


@pytest.mark.parametrize(
    "models", [None, {}, "x", [None], [{}], [{"id": 5}], [{"id": "m"}], [row("x")], [row(["/other"])]]
)
def test_what_says_nothing(models: Any) -> None:
    assert entries_of(models) == {}


@pytest.mark.parametrize("text", ["", "[]", "null", '{"data": 5}', "[" * 10_000])
def test_a_file_that_is_not_what_it_was(tmp_path: Path, text: str) -> None:
    path = offered_file({"XDG_STATE_HOME": str(tmp_path)}, "copilot")
    assert read_offered(path) == {}
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert read_offered(path) == {}
    path.write_text(json.dumps({"data": [row([CHAT])]}))
    assert read_offered(path) == {"m": {"api": "chat"}}
