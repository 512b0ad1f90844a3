"""What follows from an entry: the URLs of hosts that name the model in the path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.config.models_yaml.entry import Section, read_entry
from tests import paths

if TYPE_CHECKING:
    from claude_code_proxy.config.models_yaml.model import ModelConfig
    from claude_code_proxy.config.problems import Problem

CASES = json.loads((paths.CASES / "config" / "routes.json").read_text(encoding="utf-8"))


def read(case: dict[str, Any], **more: str) -> ModelConfig:
    values = {"api_base": case["api_base"], "format": "anthropic", **more}
    if "profile" in case:
        values["profile"] = case["profile"]
    problems: list[Problem] = []
    model = read_entry(Path("m.yaml"), Section(values, {}, 1), problems, [])
    assert model is not None, problems
    return model


def urls_of(model: ModelConfig) -> tuple[str, str, str]:
    return model.messages_url, model.stream_url, model.count_tokens_url


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"])
def test_the_path_names_the_model(case: dict[str, Any]) -> None:
    expected = (case["whole"], case["streamed"], case["counted"])
    assert urls_of(read(case, model_id="m", model_name=case["model"])) == expected
    wildcard = read(case, model_id="*").concrete(case["model"])
    assert urls_of(wildcard) == expected
