"""How near the estimate comes to real tokenizers: at once, and after two answers of a provider."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.core.convert_request import convert_request
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.tokens.calibration import Calibration
from claude_code_proxy.core.tokens.estimate import TextCounts, estimate, measure
from claude_code_proxy.core.tokens.text_features import COUNTED, packed
from claude_code_proxy.server.memory.token_counts import exact_counter
from tests import paths
from tests.core.cases import CASES, load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FIXTURES = sorted(paths.FIXTURES.glob("*.json"))
TEXTS: dict[str, str] = {
    case["name"]: case["text"] for case in load(CASES / "tokens" / "texts.json")["cases"]
}
KINDS = {
    "prose": ["english prose", "markdown", "german prose"],
    "code": ["python", "typescript", "tool output"],
    "schemas": ["json schema", "json schema with spaces"],
    "cjk": ["chinese prose", "japanese prose", "korean prose", "chinese and code"],
    "everything": list(TEXTS),
}
ENCODINGS = ("o200k_base", "cl100k_base", "voyage3_base")


@cache
def tokenizer(encoding: str) -> Callable[[str], int]:
    count = exact_counter(encoding)
    return lambda text: packed(COUNTED, count(text))


def body_of(path: Path) -> dict[str, Any]:
    request = json.loads(path.read_text(encoding="utf-8"))["body"]
    request.setdefault("max_tokens", 1)
    return convert_request(request, profile=Profile(), model="m", message_id="msg_1").body


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_requests_of_claude_code_within_15_percent_at_once(path: Path, encoding: str) -> None:
    body = body_of(path)
    assert estimate(body) == pytest.approx(estimate(body, TextCounts(tokenizer(encoding))), rel=0.15)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_text_within_15_percent_at_once(kind: str) -> None:
    body = {"messages": [{"role": "user", "content": TEXTS[name]} for name in KINDS[kind]]}
    assert estimate(body) == pytest.approx(estimate(body, TextCounts(tokenizer("o200k_base"))), rel=0.15)


@pytest.mark.parametrize("overhead", [0, 300], ids=["no template", "template of 300 tokens"])
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_conversation_within_5_percent_after_two_turns(kind: str, encoding: str, overhead: int) -> None:
    """Claude Code's own first request; then each turn adds a text of this kind, five in all."""
    body = body_of(FIXTURES[0])
    calibration, theirs = Calibration(), TextCounts(tokenizer(encoding))
    names = KINDS[kind]
    for turn in range(5):
        text = TEXTS[names[turn % len(names)]]
        body["messages"] += [{"role": "assistant", "content": text}, {"role": "user", "content": text}]
        ours, actual = measure(body), estimate(body, theirs) + overhead
        if turn >= 2:
            assert calibration.tokens("m", ours) == pytest.approx(actual, rel=0.05)
        calibration.observe("m", ours, actual)
