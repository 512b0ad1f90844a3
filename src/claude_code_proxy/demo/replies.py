"""Replies on demand: what the demo provider answers instead of its own rules.

A test (in-process) or a person (`POST /demo/script`) queues replies; each request to the chat endpoint takes
the first one that fits it, and the rules answer again when the queue is empty.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from claude_code_proxy.core import wire


class Chunk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One write of a scripted body, `delay` seconds after the one before.

    `text` for most; `data` (base64 in JSON) for bytes that are no whole UTF-8, such as half a character.
    """

    text: str = ""
    data: bytes = b""
    delay: float = 0.0

    @property
    def payload(self) -> bytes:
        """The bytes to write."""
        return self.data or self.text.encode()


class Reply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One scripted answer, raw: status, headers, then the chunks.

    `delay` is the time in seconds before the status line. `end` says how the body ends: `close` completes it,
    `cut` drops the connection in the middle of it, `stall` keeps it open in silence until the caller goes.
    A reply with `contains` waits for a request whose body has that text in it.
    """

    status: int = 200
    headers: dict[str, str] = msgspec.field(default_factory=lambda: {"content-type": "application/json"})
    chunks: tuple[Chunk, ...] = ()
    delay: float = 0.0
    end: Literal["close", "cut", "stall"] = "close"
    contains: str = ""


def error_body(
    message: str,
    *,
    type: str = "invalid_request_error",  # noqa: A002 - the wire's own name
    param: str | None = None,
    code: str | None = None,
) -> dict[str, Any]:
    """OpenAI's error document."""
    return {"error": {"message": message, "type": type, "param": param, "code": code}}


def sse(event: Any) -> bytes:
    """One JSON value as a server-sent event."""
    return b"data: " + wire.dumps(event) + b"\n\n"


DONE = b"data: [DONE]\n\n"


@dataclass(slots=True)
class Script:
    """A queue of replies. Safe to fill from another thread than the server's."""

    queue: deque[Reply] = field(default_factory=deque)

    def add(self, *replies: Reply) -> None:
        """Queue `replies` in this order."""
        self.queue.extend(replies)

    def load(self, document: Any) -> int:
        """Queue the replies of `{"replies": [...]}` and say how many. Raises `msgspec.ValidationError`."""
        replies = msgspec.convert(document, _Document).replies
        self.add(*replies)
        return len(replies)

    def take(self, body: bytes) -> Reply | None:
        """Remove and return the first reply that fits a request with this body."""
        for reply in tuple(self.queue):
            if reply.contains.encode() in body:
                self.queue.remove(reply)
                return reply
        return None


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    replies: list[Reply]
