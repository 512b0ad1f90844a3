"""The sessions of this process: what each asked and what it cost. In memory, bounded; no content, no key."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from claude_code_proxy.core.bounded_map import BoundedMap
from claude_code_proxy.server.records.exchange_record import ExchangeRecord

MAX_SESSIONS = 256
MAX_REQUESTS = 100
"""Requests of one session that are remembered one by one."""
_MOST_MODELS = 8


@dataclass(slots=True)
class _Session:
    """Sums of one session; tokens of prompts, and those of them that a cache had, that were read again."""

    began: float
    ended: float = 0.0
    requests: int = 0
    errors: int = 0
    prompt: int = 0
    cached: int = 0
    output: int = 0
    again: int = 0
    models: list[str] = field(default_factory=list)
    last: deque[ExchangeRecord] = field(default_factory=lambda: deque(maxlen=MAX_REQUESTS))


class Sessions:
    """A sink: adds requests up by session. Those without a session are none."""

    def __init__(self) -> None:
        self._sessions: BoundedMap[str, _Session] = BoundedMap(MAX_SESSIONS)

    def add(self, record: ExchangeRecord) -> None:
        """Add one request to its session."""
        if not record.session_id or record.operation != "messages":
            return
        session = self._sessions.get(record.session_id)
        if session is None:
            session = self._sessions[record.session_id] = _Session(record.ended - record.seconds)
        else:
            self._sessions.touch(record.session_id)
        session.ended = record.ended
        session.requests += 1
        session.errors += record.outcome == "error"
        if (usage := record.usage) is not None:
            session.prompt += _prompt(record)
            session.cached += usage.cache_read_input_tokens
            session.output += usage.output_tokens
        if record.cache_loss is not None:
            session.again += record.cache_loss.tokens
        if record.model not in session.models and len(session.models) < _MOST_MODELS:
            session.models.append(record.model)
        session.last.append(record)

    def snapshot(self) -> list[dict[str, Any]]:
        """The sums of each session, the last one that did something first."""
        return [
            {
                "session": name,
                "began": session.began,
                "ended": session.ended,
                "requests": session.requests,
                "errors": session.errors,
                "prompt_tokens": session.prompt,
                "cached_tokens": session.cached,
                "hit_ratio": round(session.cached / session.prompt, 4) if session.prompt else None,
                "output_tokens": session.output,
                "read_again_tokens": session.again,
                "models": session.models,
            }
            for name, session in reversed(self._sessions.items())
        ]

    def requests(self, session_id: str) -> list[dict[str, Any]]:
        """The last requests of a session, oldest first; [] for one that is not known.

        The beginning of an id will do where only one session has it.
        """
        session = self._sessions.get(session_id)
        if session is None and session_id:
            found = [one for name, one in self._sessions.items() if name.startswith(session_id)]
            session = found[0] if len(found) == 1 else None
        return [] if session is None else [request_line(record) for record in session.last]


def request_line(record: ExchangeRecord) -> dict[str, Any]:
    """What a report on a session says of one request."""
    usage, loss = record.usage, record.cache_loss
    return {
        "ended": record.ended,
        "request_id": record.request_id,
        "agent": record.agent_id,
        "class": record.request_class,
        "model": record.model,
        "status": record.status,
        "prompt_tokens": _prompt(record),
        "cached_tokens": usage.cache_read_input_tokens if usage is not None else 0,
        "loss": str(loss) if loss is not None else "",
        "again": loss.tokens if loss is not None else 0,
    }


def _prompt(record: ExchangeRecord) -> int:
    usage = record.usage
    if usage is None:
        return 0
    return usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens
