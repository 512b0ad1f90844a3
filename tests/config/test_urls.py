"""From `api_base` to URLs: the bases that providers print, and the ways people write them."""

from __future__ import annotations

import json

import pytest

from claude_code_proxy.config import urls
from tests import paths

CASES = json.loads((paths.CASES / "config" / "endpoints.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["api_base"])
def test_endpoints(case: dict[str, str]) -> None:
    parts = urls.check(case["api_base"])
    found = urls.endpoints(parts, "anthropic" if "messages" in case else "openai")
    assert found.chat_url == case.get("chat", "")
    assert found.messages_url == case.get("messages", "")
    assert found.count_tokens_url == (f"{case['messages']}/count_tokens" if "messages" in case else "")
    assert found.models_url == case["models"]


@pytest.mark.parametrize(
    ("base", "exposed"),
    [
        ("https://api.example.com", False),
        ("http://api.example.com", True),
        ("http://8.8.8.8/v1", True),
        ("http://[2606:4700::1111]/v1", True),
        ("http://127.0.0.1:1234", False),
        ("http://[::1]:1234", False),
        ("http://192.168.1.20:8000", False),
        ("http://10.1.2.3", False),
        ("http://169.254.1.1", False),
        ("http://localhost:11434", False),
        ("http://vllm:8000", False),
        ("http://box.local:8000", False),
        ("http://host.docker.internal:8000", False),
    ],
)
def test_plain_http_is_fine_only_nearby(base: str, exposed: bool) -> None:
    assert urls.is_exposed(urls.check(base)) is exposed


@pytest.mark.parametrize(
    ("base", "anthropic"),
    [
        ("https://api.anthropic.com", True),
        ("https://anthropic.com", True),
        ("https://notanthropic.com", False),
        ("https://anthropic.com.example.org", False),
        ("https://api.deepseek.com/anthropic", False),
    ],
)
def test_anthropics_own_host(base: str, anthropic: bool) -> None:
    assert urls.is_anthropic(urls.check(base)) is anthropic
