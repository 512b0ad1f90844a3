"""What surrounds the code: examples that work, workflows and forms that name what there is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import claude_code_proxy
from claude_code_proxy.config.models_yaml.models_file import load_models
from claude_code_proxy.server.hooks.user_hooks import compile_hooks
from tests import paths

if TYPE_CHECKING:
    from pathlib import Path

ROOT = paths.REPOSITORY
SAMPLES = sorted((ROOT / "examples" / "models").glob("*.yaml"))
YAML = sorted(
    [
        *(ROOT / ".github").rglob("*.yml"),
        ROOT / ".pre-commit-config.yaml",
        *(ROOT / "examples").rglob("*.y*ml"),
    ]
)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_of_models(path: Path) -> None:
    table = load_models(path)
    assert table.models
    assert table.warnings == ()


def test_five_samples_each_in_the_list() -> None:
    told = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    assert len(SAMPLES) == 5
    for path in (ROOT / "examples").iterdir():
        assert path.name == "README.md" or path.name in told
    for place in re.findall(r"\]\(([^)]+)\)", told):
        assert (ROOT / "examples" / place).exists(), place


def test_the_sample_of_hooks() -> None:
    names: dict[str, Any] = {}
    path = ROOT / "examples" / "hooks.py"
    compile_hooks(path)
    exec(path.read_text(encoding="utf-8"), names)
    assert names["request_hook"]({"model": "m"}) == {"model": "m", "store": False}
    event = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "A™"}}
    assert names["response_hook"](event)["delta"]["text"] == "A"


@pytest.mark.parametrize("path", YAML, ids=lambda path: path.name)
def test_yaml_is_well_formed(path: Path) -> None:
    assert yaml.safe_load(path.read_text(encoding="utf-8"))


def test_workflows_ask_for_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for path in (ROOT / ".github" / "workflows").iterdir():
        text = path.read_text(encoding="utf-8")
        assert set(re.findall(r"run: make ([a-z]+)", text)) <= targets
        assert yaml.safe_load(text)["permissions"] == {"contents": "read"}, "each job asks for more by itself"


def test_the_version_has_its_part_of_the_changelog() -> None:
    headings = re.findall(
        r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert headings[:2] == ["Unreleased", claude_code_proxy.__version__]
