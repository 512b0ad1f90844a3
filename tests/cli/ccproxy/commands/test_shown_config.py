"""`ccproxy config show --origin`: which file and line says what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from claude_code_proxy.cli import output
from tests.cli.desk import KEY, LEAST

if TYPE_CHECKING:
    from tests.cli.desk import Desk

FILE = f"""{{
  // two
  "a": {{"base_url": "https://api.deepseek.com", "auth_key": "env:A", "model": "deepseek-v4-pro"}},
  "b": {{
    "base_url": "http://127.0.0.1:9/v1",
    "auth_key": "{KEY}",
    "model": "m",
    "context": "64k",
    "fallback": ["a/deepseek-v4-pro", "m2"],
    "default": true
  }}
}}
"""


def rows(out: str) -> dict[str, list[str]]:
    return {
        line.split()[0]: [cell.strip() for cell in line.split("  ") if cell.strip()][1:]
        for line in out.splitlines()
    }


def test_where_each_part_is_said(desk: Desk) -> None:
    desk.config.write_text(FILE, encoding="utf-8")
    models = desk.home / "models.yaml"
    models.write_text("- {model_id: x, model_name: m, api_base: 'http://127.0.0.1:9', max_tokens: 8k}\n")
    env = {"CLAUDE_CODE_PROXY_MODELS": str(models), "LOG_LEVEL": "debug"}
    code, out, err = desk.run("config", "show", "--origin", **env)
    assert (code, err, KEY in out) == (0, "", False)
    found = rows(out)
    assert found["provider"] == ["b", '"default": true']
    assert found["auth_key"] == ["(hidden)", f"{desk.config}:6"]
    assert found["fallback"] == ["a/deepseek-v4-pro, m2", f"{desk.config}:9"]
    assert found["context"] == ["64k", f"{desk.config}:8"]
    assert found["max_tokens"] == ["8000", str(models)]
    assert found["log_level"] == ["debug", "LOG_LEVEL"]
    found = rows(desk.run("-P", "a", "config", "show", "--origin", **env)[1])
    assert found["provider"] == ["a", "-P"]
    assert found["context"] == ["1048576", "the profile deepseek"]
    assert found["profile"] == ["deepseek", "by base_url"]
    assert "origin" not in desk.run("config", "show")[1]


def test_the_flat_form_and_wrong_usage(desk: Desk) -> None:
    desk.providers(LEAST)
    assert rows(desk.run("config", "show", "--origin")[1])["provider"] == ["default", "the only one"]
    assert desk.run("config")[0] == output.USAGE
    assert desk.run("config", "set")[0] == output.USAGE
