"""A morning's work as the page would see it: records of sessions with subagents, from no real one."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any

from claude_code_proxy.core.deltas import Usage
from claude_code_proxy.server.records.exchange_record import ExchangeRecord
from tests.server.byte_upstream import text_chunk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server.byte_upstream import Connection, Request

_MODELS = (("kimi-k3", "kimi"), ("glm-5.1", "zai"), ("deepseek-reasoner", "deepseek"))
_NOTICES = ("context_management_dropped", "cache_control_dropped", "image_in_tool_result_moved")


def records(count: int, seed: int = 7) -> Iterator[ExchangeRecord]:
    """`count` requests of a few sessions at once, the last one a moment ago."""
    chance = random.Random(seed)
    gap = min(9.0, 20_000 / count)
    now = time.time() - count * gap
    prompts = dict.fromkeys(range(3), 18_000)
    for number in range(count):
        now += gap
        session = number * 3 // count if chance.random() < 0.8 else chance.randrange(3)
        model, provider = _MODELS[session]
        agent = chance.choice(("", "", "", "a1", "a2")) if session else ""
        failed, retried = chance.random() < 0.04, chance.random() < 0.06
        fresh = chance.randrange(200, 2500) if chance.random() < 0.93 else 30_000
        prompt = prompts[session] = (prompts[session] + chance.randrange(100, 900)) % 180_000 + 2000
        fresh = min(fresh, prompt)
        output = chance.randrange(40, 1900)
        first, speed = chance.uniform(0.4, 1.9), chance.uniform(45, 95)
        yield ExchangeRecord(
            ended=now,
            request_id=f"req_{seed:02}{number:06}",
            session_id=f"5f3c{session}a1e-0c1d-4b6e-9f00-1c0ffee0{session:04}",
            agent_id=f"{agent}-{session}" if agent else "",
            parent_agent_id=f"a1-{session}" if agent == "a2" else "",
            agent_type={"a1": "Explore", "a2": "test-runner"}.get(agent, ""),
            request_class="subagent" if agent else "main",
            rule="",
            operation="messages",
            asked=model if session else "claude-sonnet-5",
            model=model,
            provider=provider,
            status=429 if failed else 200,
            outcome="error" if failed else "ok",
            error="rate_limit_error" if failed else "",
            attempts=1 + retried + failed,
            seconds=0.6 if failed else first + output / speed,
            first_byte_seconds=None if failed else first,
            gaps=(),
            sent_bytes=180 if failed else output * 140,
            usage=None if failed else Usage(fresh, output, prompt - fresh),
            notices=_NOTICES[: chance.choice((0, 0, 0, 0, 1, 2))],
        )


_SESSION = "5f3c2a1e-0c1d-4b6e-9f00-1c0ffee00002"
_ANSWER = [
    "The",
    "retry",
    "loop",
    "slept",
    "before",
    "the",
    "first",
    "try.",
    "I",
    "moved",
    "the",
    "pause",
    "behind",
    "it,",
    "and",
    "the",
    "test",
    "passes",
    "now.",
]
_TOOL = {
    "name": "Read",
    "description": "Reads a file from the local file system.",
    "input_schema": {
        "type": "object",
        "properties": {"file_path": {"type": "string"}},
        "required": ["file_path"],
    },
}
CAPTURED: dict[str, Any] = {
    "model": "deepseek-reasoner",
    "max_tokens": 32_000,
    "stream": True,
    "top_k": 40,
    "system": [{"type": "text", "text": "You are Claude Code.", "cache_control": {"type": "ephemeral"}}],
    "tools": [_TOOL],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Why is test_retry slow?"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"file_path": "retry.py"}}
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "def retry(call): ..."}],
        },
    ],
    "metadata": {"user_id": "u"},
}
"""A request that loses something on its way."""

_WHO = {
    "x-claude-code-session-id": _SESSION,
    "x-claude-code-request-class": "main",
    "anthropic-version": "2023-06-01",
}
FRESH: tuple[tuple[dict[str, Any], dict[str, str]], ...] = (
    (CAPTURED, _WHO),
    ({**CAPTURED, "max_tokens": 9000}, _WHO),
    (
        {**CAPTURED, "max_tokens": 9000},
        {**_WHO, "x-claude-code-agent-id": "a1-2", "x-claude-code-request-class": "subagent"},
    ),
)
"""Requests with their headers; those with 9000 tokens go on for as long as somebody listens."""


def captured(base: str) -> list[dict[str, Any]]:
    """models.yaml for these requests."""
    return [{"model_id": "deepseek-reasoner", "model_name": "deepseek-reasoner", "api_base": base}]


async def streaming_provider(request: Request, connection: Connection) -> None:
    """Answers a captured request in words."""
    endless = request.json["max_tokens"] == 9000
    await connection.head()
    for word in _ANSWER:
        await connection.event(text_chunk(f"{word} "))
        await asyncio.sleep(0.02)
    while endless:
        await connection.event(text_chunk("and "))
        await asyncio.sleep(0.05)
    usage = {
        "prompt_tokens": 171_204,
        "completion_tokens": 28,
        "total_tokens": 171_232,
        "prompt_tokens_details": {"cached_tokens": 170_880},
    }
    await connection.event({**text_chunk(finish="stop"), "usage": usage})
    await connection.chunk(b"data: [DONE]\n\n")
    await connection.end()
