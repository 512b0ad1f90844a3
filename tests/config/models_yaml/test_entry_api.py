"""Which protocol an entry speaks, what follows from it, and at which address."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.config.models_yaml.models_file import load_models

if TYPE_CHECKING:
    from pathlib import Path

    from claude_code_proxy.config.models_yaml.model import ModelConfig

OPENAI = "https://api.openai.com/v1"


def one(folder: Path, base: str, *lines: str, model: str = "m") -> ModelConfig:
    path = folder / "m.yaml"
    path.write_text("\n  ".join([f'- model_id: "{model}"', f"api_base: {base}", *lines]) + "\n")
    (found,) = load_models(path).models
    return found


@pytest.mark.parametrize(
    ("base", "lines", "api", "address"),
    [
        ("https://x.example", [], "chat", "https://x.example/v1/chat/completions"),
        ("https://x.example", ["api: responses"], "responses", "https://x.example/v1/responses"),
        ("https://x.example/v1/responses/", [], "responses", "https://x.example/v1/responses"),
        ("https://x.example/v1/responses", ["api: chat"], "chat", "https://x.example/v1/chat/completions"),
        (
            "https://x.example/v1/chat/completions",
            ["profile: {api: responses}"],
            "responses",
            "https://x.example/v1/responses",
        ),
        (
            "https://r.openai.azure.com/openai/v1/responses?api-version=preview",
            [],
            "responses",
            "https://r.openai.azure.com/openai/v1/responses?api-version=preview",
        ),
        (OPENAI, ["model_name: gpt-5.5"], "responses", f"{OPENAI}/responses"),
        (OPENAI, ["model_name: gpt-4o"], "chat", f"{OPENAI}/chat/completions"),
    ],
)
def test_address(tmp_path: Path, base: str, lines: list[str], api: str, address: str) -> None:
    model = one(tmp_path, base, *lines)
    assert (model.profile.api, model.chat_url) == (api, address)
    assert model.models_url.partition("?")[0].endswith("/models")


def test_a_wildcard_decides_for_each_model(tmp_path: Path) -> None:
    entry = one(tmp_path, OPENAI, 'model_name: "*"', model="*")
    assert entry.concrete("gpt-4o").chat_url == f"{OPENAI}/chat/completions"
    assert entry.concrete("gpt-6.2-sol").chat_url == f"{OPENAI}/responses"
    passed_through = one(tmp_path, "https://x.example", "format: anthropic", model="*")
    assert passed_through.concrete("a").chat_url == ""


@pytest.mark.parametrize(
    ("base", "lines", "replay", "images"),
    [
        ("https://x.example", ["api: responses"], "responses_item", "inline"),
        (
            "https://x.example/responses",
            ["reasoning_replay: none", "tool_result_images: placeholder"],
            "none",
            "placeholder",
        ),
        (OPENAI, ["model_name: gpt-5.5", "api: chat"], "none", "user_message"),
        ("https://api.deepseek.com", ["api: chat"], "reasoning_content", "user_message"),
    ],
)
def test_what_goes_with_another_protocol(
    tmp_path: Path, base: str, lines: list[str], replay: str, images: str
) -> None:
    profile = one(tmp_path, base, *lines).profile
    assert (profile.reasoning_replay, profile.tool_result_images) == (replay, images)
