"""Configurations of other programs as they are written, and what becomes of each part."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claude_code_proxy.config.cc_proxy_json.providers_file import load_providers
from claude_code_proxy.config.imports.cc_switch import read_cc_switch, rows_of
from claude_code_proxy.config.imports.ccr import read_ccr
from claude_code_proxy.config.imports.litellm import read_litellm
from tests import paths

CASES = json.loads((paths.CASES / "config" / "imports.json").read_text(encoding="utf-8"))
READERS: dict[str, Any] = {
    "ccr": read_ccr,
    "cc-switch": lambda config, env: read_cc_switch(rows_of(config), env),
    "litellm": read_litellm,
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_import(case: dict[str, Any], tmp_path: Any) -> None:
    found = READERS[case["kind"]](case["config"], case["env"])
    assert found.entries == case["entries"]
    assert found.default == case["default"]
    for says in case["says"]:
        assert [note for note in found.notes if note.startswith(says)], (says, found.notes)
    if found.entries:
        path = tmp_path / "cc-proxy.json"
        path.write_text(json.dumps(found.entries), encoding="utf-8")
        assert [provider.name for provider in load_providers(path)] == list(found.entries)


def test_names_that_are_taken_or_odd() -> None:
    providers = [
        {"name": name, "api_base_url": "https://x.example/v1", "api_key": "$K", "models": ["m"]}
        for name in ("My Provider!", "my provider", "渠道", "")
    ]
    assert list(read_ccr({"Providers": providers}, {}).entries) == [
        "my-provider",
        "my-provider-2",
        "渠道",
        "provider",
    ]
