"""Scripted replies of the demo provider."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from claude_code_proxy.core import wire
from claude_code_proxy.demo.replies import DONE, Chunk, Reply, error_body, sse


def json_reply(status: int, body: Any, headers: dict[str, str] | None = None, *, contains: str = "") -> Reply:
    """A reply of one JSON document, with `headers` beside its content type."""
    return Reply(
        status=status,
        headers={"content-type": "application/json", **(headers or {})},
        chunks=(Chunk(data=wire.dumps(body)),),
        contains=contains,
    )


def error_reply(
    status: int,
    message: str,
    *,
    type: str = "invalid_request_error",  # noqa: A002 - the wire's own name
    code: str | None = None,
    headers: dict[str, str] | None = None,
    contains: str = "",
) -> Reply:
    """A reply in the shape of OpenAI's errors."""
    return json_reply(status, error_body(message, type=type, code=code), headers, contains=contains)


def stream_reply(
    events: Iterable[Any],
    *,
    delay: float = 0.0,
    end: Literal["close", "cut", "stall"] = "close",
    done: bool = True,
    contains: str = "",
) -> Reply:
    """A stream of `events` (JSON values), `delay` seconds apart, then `[DONE]` unless it is cut or stalls."""
    chunks = [Chunk(data=sse(event), delay=delay) for event in events]
    if done and end == "close":
        chunks.append(Chunk(data=DONE))
    return Reply(
        headers={"content-type": "text/event-stream; charset=utf-8"},
        chunks=tuple(chunks),
        end=end,
        contains=contains,
    )
