"""The suite's client: sends a behaviour's request to a gateway as an Anthropic client would."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from claude_code_proxy import http1
from claude_code_proxy.conformance.behaviour import Case
from claude_code_proxy.conformance.judge import Answer, Judgement, judge
from claude_code_proxy.core import wire

_TOOLS = {
    "get_weather": {"city": {"type": "string"}},
    "get_time": {"zone": {"type": "string"}},
    "search": {"query": {"type": "string"}, "limit": {"type": "integer"}},
}


@dataclass(frozen=True, slots=True)
class Result:
    """What one case came to, and after how many seconds."""

    case: Case
    judgement: Judgement
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The gateway under test. `limit` is the time in seconds after which an answer counts as hanging."""

    base_url: str
    model: str
    key: str
    limit: float = 15.0


def request_body(case: Case, model: str) -> dict[str, Any]:
    """The Messages request of a case; its text tells the scripted upstream which behaviour is meant."""
    tools = [
        {
            "name": name,
            "description": f"Call {name}.",
            "input_schema": {"type": "object", "properties": properties},
        }
        for name, properties in _TOOLS.items()
    ]
    return {
        "model": model,
        "max_tokens": 4096,
        "stream": case.mode == "stream",
        "thinking": {"type": "adaptive"},
        "tools": tools,
        "messages": [{"role": "user", "content": f"behaviour: {case.behaviour.id}"}],
        **case.behaviour.request,
    }


async def run(
    cases: Sequence[Case], target: Target, *, jobs: int = 8, done: Callable[[Result], None] | None = None
) -> list[Result]:
    """Ask every case, `jobs` at a time; `done` hears of each result as it comes."""
    gate = asyncio.Semaphore(jobs)
    client = http1.Client(http1.Options(idle_connections=0))

    async def one(case: Case) -> Result:
        async with gate:
            began = time.monotonic()
            answer = await ask(client, case, target)
            seconds = time.monotonic() - began
        result = Result(case, judge(answer, case.mode, case.expected), seconds)
        if done is not None:
            done(result)
        return result

    try:
        return await asyncio.gather(*map(one, cases))
    finally:
        await client.close()


async def ask(client: http1.Client, case: Case, target: Target) -> Answer:
    """Send one case's request; whatever happens is an `Answer`."""
    body = bytearray()
    status, content_type = 0, ""
    headers = http1.Headers(
        {
            "content-type": "application/json",
            "authorization": f"Bearer {target.key}",
            "anthropic-version": "2023-06-01",
        }
    )
    url = f"{target.base_url.rstrip('/')}/v1/messages"
    try:
        async with asyncio.timeout(target.limit):
            sent = wire.dumps(request_body(case, target.model))
            response = await client.request("POST", url, headers, sent)
            try:
                status, content_type = response.status, response.headers.get("content-type") or ""
                while piece := await response.read():
                    body += piece
            finally:
                response.close()
    except TimeoutError:
        return Answer(status=status, content_type=content_type, body=bytes(body), ended="timeout")
    except http1.HttpError:
        return Answer(status=status, content_type=content_type, body=bytes(body), ended="dropped")
    return Answer(status=status, content_type=content_type, body=bytes(body))
