"""What a viewer sees: the last requests and those under way. In memory and bounded; no content, no key.

A request costs two entries of dictionaries and a place in a queue; all else is done when a viewer asks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Any

from claude_code_proxy.core.report import Notice
from claude_code_proxy.server.caller.call import Call
from claude_code_proxy.server.records.exchange_record import ExchangeRecord, record_of

MAX_REQUESTS = 10_000
"""Requests that are remembered after their end, about 1 kB each."""
MAX_VIEWERS = 16
_MAX_NOTED = 1000  # requests whose notices are remembered whole
_SHORTEST = 0.05  # seconds of an answer that has a speed
_AT_ONCE = 500  # requests that a viewer is told of in one piece


class LiveFeed:
    """The requests of this process. `viewers` counts who looks."""

    def __init__(self) -> None:
        self.viewers = 0
        self.running: dict[str, Call] = {}
        self.ended: deque[ExchangeRecord] = deque(maxlen=MAX_REQUESTS)
        self.count = 0
        """Requests that have ended since the start, remembered or not."""
        self._notices: deque[tuple[str, Sequence[Notice]]] = deque(maxlen=_MAX_NOTED)

    def begin(self, call: Call) -> None:
        """A request has come; nothing is known of it yet."""
        self.running[call.request_id] = call

    def end(self, call: Call, record: ExchangeRecord | None, loud: Sequence[Notice] = ()) -> None:
        """It is over, with `loud` notices that may be shown. Without a record it was none to a model."""
        self.running.pop(call.request_id, None)
        if record is None:
            return
        self.ended.append(record)
        self.count += 1
        if loud:
            self._notices.append((record.request_id, loud))

    def notices(self, request_id: str) -> list[dict[str, str]]:
        """What a request could not carry over: code, action, JSON path, reason."""
        return [
            {"code": notice.code, "action": notice.action, "path": notice.path, "reason": notice.reason}
            for noted, loud in self._notices
            if noted == request_id
            for notice in loud
        ]

    def of_session(self, session_id: str) -> list[ExchangeRecord]:
        """The requests of a session that have ended, newest first."""
        return [record for record in reversed(self.ended) if record.session_id == session_id]


class Viewer:
    """What one viewer has been told, and what is new to it."""

    def __init__(self, feed: LiveFeed) -> None:
        self._feed = feed
        self._told = max(0, feed.count - len(feed.ended))
        self._shown: dict[str, tuple[str, str]] = {}  # running requests: the model that serves, and the state
        self._moves: dict[str, tuple[int, int, int]] = {}

    def news(self) -> dict[str, list[Any]]:
        """What happened since the last call; {} for nothing. Call it again at once while `more`.

        `rows` are requests, new or changed; one replaces the row with its `id`. `moves` are
        [id, bytes sent, seconds to the first byte or null, status, attempts] of those under way.
        """
        feed = self._feed
        news: dict[str, list[Any]] = {}
        first = max(0, self._told - (feed.count - len(feed.ended)))
        rows = [row_of(record) for record in islice(feed.ended, first, first + _AT_ONCE)]
        self._told = feed.count - len(feed.ended) + first + len(rows)
        moves = []
        for request_id, call in feed.running.items():
            if not call.model:
                continue  # it was not read yet, or is none to a model
            served = call.served_by.model_id if call.served_by is not None else ""
            move = call.sent_bytes, call.status, call.attempts
            if self._shown.get(request_id) != (call.model, served):
                self._shown[request_id] = call.model, served
                rows.append({**row_of(record_of(call)), "state": "running"})
            elif self._moves.get(request_id) != move:
                first_byte = None if call.first_byte is None else round(call.first_byte - call.began, 3)
                moves.append([request_id, call.sent_bytes, first_byte, call.status, call.attempts])
            self._moves[request_id] = move
        for gone in self._shown.keys() - feed.running.keys():
            del self._shown[gone], self._moves[gone]
        if rows:
            news["rows"] = rows
        if moves:
            news["moves"] = moves
        return news

    @property
    def more(self) -> bool:
        """Whether there are more requests than one piece may have."""
        return self._told < self._feed.count


def row_of(record: ExchangeRecord) -> dict[str, Any]:
    """A request as viewers get it: the record's facts, with `id`, `began` (epoch seconds) and `state`."""
    row = record.facts()
    row["id"], row["state"] = row.pop("request_id"), row.pop("outcome")
    row["began"] = round(row.pop("ended") - record.seconds, 3)
    row["seconds"] = round(record.seconds, 3)
    if record.first_byte_seconds is not None:
        row["first_byte_seconds"] = round(record.first_byte_seconds, 3)
    return row


def line_of(feed: LiveFeed, session_id: str) -> str:
    """A session in a line of text: provider, model, speed, cache, notices; "" before its first answer.

    Provider, model and speed (output tokens per second) are those of the last answer to its own conversation,
    not to a subagent; the rest is of the whole session.
    """
    records = [record for record in feed.of_session(session_id) if record.operation == "messages"]
    last = next((record for record in records if record.usage is not None and not record.agent_id), None)
    if last is None or last.usage is None:
        return ""
    words = [last.provider, last.model]
    if last.first_byte_seconds is not None and (time := last.seconds - last.first_byte_seconds) > _SHORTEST:
        words.append(f"{last.usage.output_tokens / time:.0f} tok/s")
    usages = [record.usage for record in records if record.usage is not None]
    cached = sum(usage.cache_read_input_tokens for usage in usages)
    if cached:
        prompt = cached + sum(usage.input_tokens + usage.cache_creation_input_tokens for usage in usages)
        words.append(f"{cached / prompt:.0%} cached")
    if notices := {code for record in records for code in record.notices}:
        words.append(f"{len(notices)} notice{'s' if len(notices) > 1 else ''}")
    return " · ".join(words)
