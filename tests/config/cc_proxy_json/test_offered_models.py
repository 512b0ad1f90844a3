"""Which format a model of a provider speaks, by the provider's own list."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.config.cc_proxy_json.key_sources import KeySource
from claude_code_proxy.config.cc_proxy_json.offered_models import entries_of, offered_file, read_offered
from claude_code_proxy.config.cc_proxy_json.providers_file import Provider
from claude_code_proxy.config.cc_proxy_json.session_models import entry_of, offered_entries

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


def test_the_entries_of_a_session(tmp_path: Path) -> None:
    env = {"XDG_STATE_HOME": str(tmp_path)}
    path = offered_file(env, "copilot")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"data": [row([MESSAGES])]}))
    own = Provider(
        name="c", base_url="https://api.githubcopilot.com", key=KeySource("login", "copilot"), model="m"
    )
    other = replace(own, name="o", key=KeySource("env", "X"), base_url="https://o.example")
    known = offered_entries([own, other], env)
    assert entry_of(own, "c/m", "m", known) == {
        "format": "anthropic",
        "model_id": "c/m",
        "model_name": "m",
        "api_base": "https://api.githubcopilot.com",
    }
    assert "format" not in entry_of(own, "c/n", "n", known)
    assert "format" not in entry_of(other, "o/m", "m", known)
