"""What surrounds the code: examples that work, workflows and forms that name what there is."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import claude_code_proxy
from claude_code_proxy.config.models_yaml.models_file import load_models
from claude_code_proxy.server.hooks.user_hooks import compile_hooks
from publish.formula import formula
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


@pytest.mark.parametrize(
    ("schema", "pattern"),
    [
        ("vendor.github-workflows", ".github/workflows/*.yml"),
        ("custom.github-workflows-require-timeout", ".github/workflows/*.yml"),
        ("vendor.dependabot", ".github/dependabot.yml"),
        ("vendor.github-issue-forms", ".github/ISSUE_TEMPLATE/[!c]*.yml"),
        ("vendor.github-issue-config", ".github/ISSUE_TEMPLATE/config.yml"),
        ("vendor.compose-spec", "deploy/compose.yaml"),
        ("vendor.compose-spec", "examples/searxng/compose.yaml"),
    ],
)
def test_files_of_other_programs_are_in_their_form(schema: str, pattern: str) -> None:
    files = [str(path) for path in sorted(ROOT.glob(pattern))]
    assert files
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


LOCK = {
    "packages": [
        {
            "name": "click",
            "sdist": {"url": "https://x.example/click-8.tar.gz", "hashes": {"sha256": "ab" * 32}},
        },
        {"name": "colorama", "marker": "sys_platform == 'win32'", "wheels": []},
        {
            "name": "uvloop",
            "marker": "sys_platform != 'win32'",
            "sdist": {"url": "https://x.example/uvloop-1.tar.gz", "hashes": {"sha256": "cd" * 32}},
        },
        {"name": "keyless-claude-proxy", "directory": {"path": "."}},
    ]
}


def made_formula() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return formula(project, "1.2.3", "ef" * 32, LOCK)


def test_the_homebrew_formula_has_what_is_locked() -> None:
    text = made_formula()
    assert text.startswith("class KeylessClaudeProxy < Formula\n")
    assert "/k/keyless-claude-proxy/keyless_claude_proxy-1.2.3.tar.gz" in text
    assert re.findall(r'resource "(.+)" do', text) == ["click", "uvloop"]
    assert re.findall(r'sha256 "(.+)"', text) == ["ef" * 32, "ab" * 32, "cd" * 32]
    with pytest.raises(ValueError, match="orjson has no source distribution"):
        formula(
            {"name": "a-b", "description": "x", "license": "MIT"}, "1", "", {"packages": [{"name": "orjson"}]}
        )


def test_the_homebrew_formula_is_ruby() -> None:
    ruby = shutil.which("ruby")
    if ruby is None:
        pytest.skip("ruby is not installed")
    done = subprocess.run([ruby, "-c"], input=made_formula(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "Syntax OK\n"), done.stderr


def test_the_formula_can_be_made_of_the_lock() -> None:
    """Every dependency of the package is locked, under the name that the formula is made with."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    locked = re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    wanted = {re.split(r"[^A-Za-z0-9-]", dependency)[0] for dependency in project["dependencies"]}
    assert wanted <= set(locked)
