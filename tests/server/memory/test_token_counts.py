from __future__ import annotations

import json
from typing import Any

import pytest

from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.core.tokens.text_features import default_tokens
from claude_code_proxy.server.memory import token_counts
from tests.server.byte_upstream import USAGE, Connection, Request, running_upstream, text_chunk
from tests.server.harness import BODY, ask, model, running_proxy

WORDS = "The quick brown fox jumps over the lazy dog near the river bank. "


def test_counts_what_the_tokenizer_counts() -> None:
    count = token_counts.exact_counter()
    assert count("hello world") == 2
    assert count("") == 0
    assert count("<|endoftext|>") > 1, "text from a client is never a control token"
    assert count("a\ud800b") > 0


def test_a_text_longer_than_the_package_takes() -> None:
    text = "𓀀𓂀" * 50_000  # several tokens per character
    assert token_counts.exact_counter()(text) > 200_000


def test_pieces_change_the_count_by_one_each_at_most() -> None:
    count = token_counts.exact_counter()
    text = WORDS * 3000
    pieces = -(-len(text) // token_counts._PIECE)
    assert count(WORDS * 2) - count(WORDS) == 14
    assert count(text) == pytest.approx(3000 * 14, abs=pieces + 1)


def test_only_whoever_asks_for_it_pays_for_it() -> None:
    assert default_tokens(token_counts.text_counts("estimate").count([WORDS])) != 15
    assert default_tokens(token_counts.text_counts("exact").count([WORDS])) == 15


def test_without_the_extra_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_counts, "PACKAGE", "no_such_package_here")
    with pytest.raises(ConfigError, match=r"pip install 'keyless-claude-proxy\[tokens\]'"):
        token_counts.text_counts("exact")


async def test_exact_counts_in_the_server() -> None:
    async with running_upstream(say_much) as upstream:
        for settings in ({"token_counts": "exact"}, {}):
            async with running_proxy([model(upstream.base)], **settings) as proxy:
                reply = await ask(proxy, LONG, path="/v1/messages/count_tokens")
            assert reply.json["input_tokens"] == pytest.approx(7 + 100 * 14, rel=0.035 if settings else 0.15)


async def say_much(request: Request, connection: Connection) -> None:
    """A provider whose tokenizer counts a third more than ours."""
    sent = "".join(str(message["content"]) for message in request.json["messages"])
    usage = {**USAGE, "prompt_tokens": round(token_counts.exact_counter()(sent) * 1.33)}
    await connection.head()
    await connection.event(text_chunk("ok", finish="stop"))
    await connection.event({**text_chunk(), "choices": [], "usage": usage})
    await connection.chunk(b"data: [DONE]\n\n")
    await connection.end()


LONG: dict[str, Any] = {**BODY, "stream": True, "messages": [{"role": "user", "content": WORDS * 100}]}


async def test_after_two_turns_the_count_is_the_providers_own() -> None:
    async with running_upstream(say_much) as upstream, running_proxy([model(upstream.base)]) as proxy:
        before = await ask(proxy, LONG, path="/v1/messages/count_tokens")
        for _ in range(2):
            assert (await ask(proxy, LONG)).status == 200
        after = await ask(proxy, LONG, path="/v1/messages/count_tokens")
    actual = round(token_counts.exact_counter()(WORDS * 100) * 1.33)
    assert after.json["input_tokens"] == pytest.approx(actual, rel=0.05)
    assert before.json["input_tokens"] < actual * 0.9, json.dumps(before.json)
