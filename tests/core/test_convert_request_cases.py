"""Every case of tests/cases/request: a Messages request, profile keys, the exact upstream body."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.core.convert_request import ConvertedRequest, convert_request
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.providers.profile import Profile
from tests import paths
from tests.core.cases import told
from tests.core.openai import sdk_types

if TYPE_CHECKING:
    from pathlib import Path

CASES = sorted((paths.CASES / "request").glob("*.json"))


def load(path: Path) -> dict[str, Any]:
    case: dict[str, Any] = json.loads(path.read_text())
    return case


def convert(case: dict[str, Any]) -> ConvertedRequest:
    config = {key: value for key, value in case["model_config"].items() if key != "model"}
    for key, value in config.items():
        if isinstance(value, list):
            config[key] = tuple(value)
    return convert_request(
        case["anthropic_request"], profile=Profile(**config), model="up-model", message_id="msg_1"
    )


def comparable(value: Any) -> Any:
    """`value` with every `arguments` string parsed: its exact text is free."""
    if isinstance(value, dict):
        return {
            key: json.loads(item) if key == "arguments" else comparable(item) for key, item in value.items()
        }
    if isinstance(value, list):
        return [comparable(item) for item in value]
    return value


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path) -> None:
    case = load(path)
    if "expected_error" in case:
        with pytest.raises(ApiError) as caught:
            convert(case)
        assert caught.value.status == 400
        assert caught.value.type == "invalid_request_error"
        assert case["expected_error"] in caught.value.message
        return
    converted = convert(case)
    assert comparable(converted.body) == comparable(case["expected_openai_request"])
    assert told(converted.report) == case["expected_notices"]
    sdk_types.validate(converted.body, extra=case.get("outside_the_types", ()))
