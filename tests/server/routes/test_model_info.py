"""What the Models API says of each kind of model; the strict types of the `anthropic` SDK are the judge."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest
from anthropic.types import ModelCapabilities, ModelInfo
from anthropic.types.beta import BetaModelInfo

from tests.server.harness import KEY, ask, model, running_proxy

NOWHERE = "http://127.0.0.1:1"


def flat(value: Any, path: str = "") -> dict[str, bool]:
    """Each capability that has `supported`, by its path."""
    found = {path: value["supported"]} if "supported" in value else {}
    for key, inner in value.items():
        if isinstance(inner, dict):
            found |= flat(inner, f"{path}.{key}".lstrip("."))
    return found


@pytest.mark.parametrize(
    ("entry", "yes", "no"),
    [
        (
            {"profile": "openai", "model_name": "gpt-5.5"},
            [
                "thinking",
                "thinking.types.adaptive",
                "thinking.types.disabled",
                "effort.high",
                "effort.xhigh",
                "image_input",
                "pdf_input",
                "structured_outputs",
                "server_tools.web_search",
            ],
            ["batch", "citations", "code_execution"],
        ),
        (
            {"profile": "deepseek", "vision": False, "pdf": "none"},
            ["thinking", "effort.high", "effort.max"],
            ["image_input", "pdf_input", "server_tools"],
        ),
        ({"profile": "openrouter"}, ["effort.low", "effort.medium", "effort.high"], []),
        (
            {},
            ["image_input", "structured_outputs", "thinking.types.disabled"],
            ["thinking", "effort", "effort.high"],
        ),
        ({"thinking_switch": "reasoning_effort", "thinking": False}, ["effort.low"], ["thinking"]),
        ({"thinking_switch": "enable_thinking", "effort": "low"}, ["thinking"], ["effort"]),
        ({"structured_output": "none"}, [], ["structured_outputs"]),
        (
            {"context_editing": True},
            [
                "context_management",
                "context_management.clear_thinking_20251015",
                "context_management.clear_tool_uses_20250919",
                "context_management.compact_20260112",
            ],
            [],
        ),
        (
            {"context_editing": False},
            ["context_management", "context_management.compact_20260112"],
            ["context_management.clear_tool_uses_20250919"],
        ),
        (
            {"compaction": False},
            ["context_management", "context_management.clear_tool_uses_20250919"],
            ["context_management.compact_20260112"],
        ),
        ({"context_editing": False, "compaction": False}, [], ["context_management"]),
        (
            {"format": "anthropic"},
            ["thinking", "effort.max", "context_management.compact_20260112"],
            ["citations", "thinking.types.between_tools"],
        ),
        (
            {"format": "anthropic", "drop_fields": ["thinking", "output_config", "context_management"]},
            ["thinking.types.disabled"],
            ["thinking", "effort", "context_management.clear_tool_uses_20250919"],
        ),
        (
            {"format": "anthropic", "api_base": "https://api.anthropic.com"},
            ["citations", "server_tools.code_execution"],
            ["batch"],
        ),
    ],
)
async def test_capabilities(entry: dict[str, Any], yes: list[str], no: list[str]) -> None:
    async with running_proxy([model(entry.pop("api_base", NOWHERE), **entry)]) as proxy:
        reply = await ask(proxy, None, method="GET", path="/v1/models/m")
        assert ModelInfo.model_validate(reply.json, strict=False).lifecycle == "active"
        BetaModelInfo.model_validate(reply.json)
        ModelCapabilities.model_validate(reply.json["capabilities"], strict=True)
        assert set(ModelInfo.model_fields) == set(reply.json)
        assert set(ModelCapabilities.model_fields) == set(reply.json["capabilities"])
        found = flat(reply.json["capabilities"])
        assert {path: found[path] for path in yes} == dict.fromkeys(yes, True)
        assert {path: found[path] for path in no} == dict.fromkeys(no, False)


@pytest.mark.parametrize(
    ("entry", "supported"),
    [
        ({}, True),
        ({"compaction": False}, False),
        ({"format": "anthropic"}, False),
        ({"format": "anthropic", "api_base": "https://api.anthropic.com"}, True),
    ],
)
async def test_compaction_on_demand_is_told_with_its_beta(entry: dict[str, Any], supported: bool) -> None:
    async with running_proxy([model(entry.pop("api_base", NOWHERE), **entry)]) as proxy:
        beta = {"anthropic-beta": "other-1,compact-2026-09-04"}
        for path in ("/v1/models/m", "/v1/models"):
            reply = await ask(proxy, None, method="GET", path=path, headers=beta)
            (shown, *_) = reply.json.get("data", [reply.json])
            info = BetaModelInfo.model_validate(shown)
            assert info.capabilities is not None
            told = info.capabilities.compaction
            assert told is not None
            assert told.supported is told.summarize.supported is supported


async def test_the_sdk_reads_the_list() -> None:
    async with running_proxy([model(NOWHERE), model(NOWHERE, model_id="b", context="64k")]) as proxy:
        client = anthropic.AsyncAnthropic(
            base_url=proxy.base, api_key=KEY, max_retries=0, _strict_response_validation=True
        )
        async with client:
            found = [info async for info in client.models.list(limit=1)]
        assert [info.max_input_tokens for info in found if info.id == "b"] == [64_000]
        assert all(info.capabilities is not None and info.lifecycle == "active" for info in found)


async def test_a_search_service_makes_every_model_search() -> None:
    async with running_proxy([model(NOWHERE)], search_url="http://127.0.0.1:1/search") as proxy:
        reply = await ask(proxy, None, method="GET", path="/v1/models/m")
        assert reply.json["capabilities"]["server_tools"]["web_search"] == {"supported": True}
