"""Files that were written for earlier versions keep their meaning: one folder of them for each version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.config.cc_proxy_json.providers_file import choose, load_providers
from claude_code_proxy.config.models_yaml.models_file import load_models
from tests import paths

if TYPE_CHECKING:
    from pathlib import Path

VERSIONS = sorted((paths.CASES / "config" / "versions").iterdir())


@pytest.mark.parametrize("folder", VERSIONS, ids=lambda folder: folder.name)
def test_models_of_an_earlier_version(folder: Path) -> None:
    table = load_models(folder / "models.yaml")
    assert table.warnings == ()
    assert [(model.model_id, model.format, model.profile.name) for model in table.models] == [
        ("deepseek-v4-pro", "openai", "deepseek"),
        ("spare", "openai", "ollama"),
        ("kimi-native", "anthropic", "kimi"),
        ("claude-opus", "anthropic", "custom"),
        ("openrouter/*", "openai", "openrouter"),
        ("thinker", "openai", "glm"),
    ]
    first, spare = table.models[:2]
    assert (first.context, first.max_tokens, first.fallback) == (128_000, 8000, ("spare",))
    assert (first.profile.effort, first.profile.temperature, first.profile.drop_tools) == (
        "high",
        0.7,
        ("WebSearch",),
    )
    assert (spare.can_stream, spare.connect_timeout, spare.hold) == (False, 5, 2)
    found = table.resolve("openrouter/qwen/q")
    assert found is not None
    assert (found.model_name, found.profile.vision) == ("qwen/q", False)


@pytest.mark.parametrize("folder", VERSIONS, ids=lambda folder: folder.name)
def test_providers_of_an_earlier_version(folder: Path) -> None:
    path = folder / "cc-proxy.json"
    providers = load_providers(path)
    chosen = choose(providers, None, path)
    assert [(provider.name, provider.key.shown) for provider in providers] == [
        ("deepseek", "env:DEEPSEEK_API_KEY"),
        ("groq", "cmd:op read op://private/groq/key"),
        ("kept", "keyring:llm/me"),
    ]
    assert (chosen.name, chosen.context, chosen.max_tokens) == ("deepseek", 128_000, 8192)
    assert (chosen.small_model, chosen.fallback) == ("groq/openai/gpt-oss-20b", ("groq/openai/gpt-oss-120b",))
    assert (list(chosen.tiers.values()), chosen.subagent_model) == (["o", "s", "h", "f"], "a")
    assert providers[2].fallback == ("x",)
