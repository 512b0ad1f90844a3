"""`claude-code-proxy init --provider`: entries that load, with what is known about the models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.cli import output
from claude_code_proxy.cli.server_command import main
from claude_code_proxy.config.models_yaml import preset_entries
from claude_code_proxy.config.models_yaml.models_file import load_models
from claude_code_proxy.core import providers

if TYPE_CHECKING:
    from pathlib import Path


def init(path: Path, *arguments: str) -> int:
    return main.run(["init", "--models", str(path), *arguments])


@pytest.mark.parametrize("name", providers.PRESETS)
def test_every_provider_gets_entries_that_work(tmp_path: Path, name: str) -> None:
    path = tmp_path / "m.yaml"
    assert init(path, "--provider", name) == output.OK
    table = load_models(path)
    assert table.warnings == ()
    preset = providers.PRESETS[name]
    assert [model.model_name for model in table.models] == list(preset.models or ["*"])
    for model in table.models:
        assert model.api_base == preset.api_base
        assert model.profile.name == name
        limits = providers.known_limits(name, model.model_name)
        assert (model.profile.context_window, model.profile.max_output or None) == (
            limits[0],
            model.max_tokens,
        )
    text = path.read_text()
    assert all(variable in text for variable in preset.key_variables)
    for context, out in (providers.known_limits(name, model) for model in preset.models):
        assert context is None or f"context: {context}" in text
        assert out is None or f"max_tokens: {out}" in text


def test_all_providers_at_once_share_no_id(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    assert init(path, "--provider", *providers.PRESETS) == output.OK
    assert len(load_models(path).models) == sum(
        len(preset.models) or 1 for preset in providers.PRESETS.values()
    )


def test_a_catalogue_routes_every_model(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    init(path, "--provider", "openrouter")
    found = load_models(path).resolve("openrouter/qwen/qwen3-coder")
    assert found is not None
    assert found.model_name == "qwen/qwen3-coder"


def test_providers_are_added_to_a_file_that_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.yaml"
    mine = "# mine\n- {model_id: deepseek-flash, api_base: 'https://relay.example'}"
    path.write_text(mine)
    assert init(path, "--provider", "deepseek", "azure") == output.OK
    assert path.read_text().startswith(mine + "\n")
    assert [model.model_id for model in load_models(path).models] == [
        "deepseek-flash",
        "deepseek-v4-pro",
        "azure/*",
    ]
    assert "added to" in (told := capsys.readouterr().err)
    assert "replace RESOURCE in it" in told
    before = path.read_text()
    assert init(path, "--provider", "deepseek", "azure") == output.OK
    assert path.read_text() == before
    assert "has these models already" in capsys.readouterr().err


def test_force_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text("not even yaml: [")
    assert init(path, "--provider", "xai") == output.CONFIG
    assert init(path, "--provider", "xai", "--force") == output.OK
    assert {model.profile.name for model in load_models(path).models} == {"xai"}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("depseek", 'did you mean "deepseek"?'),
        ("OpenAI", 'did you mean "openai"?'),
        ("zzz", "there are cerebras"),
    ],
)
def test_a_wrong_name(tmp_path: Path, wrong: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.yaml"
    assert init(path, "--provider", "kimi", wrong) == output.USAGE
    assert says in capsys.readouterr().err
    assert not path.exists()


def test_a_directory_is_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(tmp_path) == output.FAILURE
    assert "cannot be written" in capsys.readouterr().err


def test_text_that_yaml_would_misread_is_quoted() -> None:
    assert preset_entries.scalar("a: b") == '"a: b"'
    assert preset_entries.scalar("*") == '"*"'
    assert preset_entries.scalar("openrouter/*") == "openrouter/*"
    assert preset_entries.scalar(5) == "5"
