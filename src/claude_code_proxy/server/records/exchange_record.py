"""The facts of one request to a model, written once when it is over; sinks take them from here.

Never content, never a key. Without a sink no record is made.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import chain, repeat
from operator import attrgetter, itemgetter
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from claude_code_proxy.core.deltas import Usage
from claude_code_proxy.core.errors.api import ERROR_TYPES
from claude_code_proxy.core.prompt_cache.cache_proof import CacheLoss
from claude_code_proxy.core.report import Notice
from claude_code_proxy.core.request.request_kind import class_of
from claude_code_proxy.server.caller.call import Call

_BEGINNING = itemgetter(slice(128))  # of a text from outside
_BEGINNING_OF_WORDS = itemgetter(slice(300))  # of a notice
_MOST_NOTICES = 50  # of one request
_WHO = (
    "x-claude-code-session-id",
    "x-claude-code-agent-id",
    "x-claude-code-parent-agent-id",
    "x-claude-code-agent-type",
)
_CODE = attrgetter("code")
_WORDS = attrgetter("path", "reason")


@dataclass(slots=True, kw_only=True)
class ExchangeRecord:
    """One request. Times in seconds; `ended` is the epoch time of its end.

    `model` is the configured id that served it, `provider` its profile, `asked` the name in the request.
    `rule` is the kind of request by which another model than the one `asked` served it, "" for none.
    `outcome` is "ok", "error" or "gone" (the client left). `error` is the type of an error, "" for none.
    `attempts` counts the requests that were sent upstream, `gaps` the times between two writes to the client,
    `sent_bytes` what was written to it. `operation` is "messages", "count_tokens" or "test_conversion".
    `upstream_errors` are the statuses of those that failed, or "connection"; `fallbacks` counts the models
    that were left for the one that served. `cache_loss` says what of the
    prompt was read again, and why. `traceparent` is the client's header (W3C Trace Context).
    """

    ended: float
    request_id: str
    session_id: str
    agent_id: str
    parent_agent_id: str
    agent_type: str
    request_class: str
    rule: str
    operation: str = "messages"
    asked: str
    model: str
    provider: str
    status: int
    outcome: str
    error: str
    attempts: int
    seconds: float
    first_byte_seconds: float | None
    gaps: tuple[float, ...]
    sent_bytes: int = 0
    usage: Usage | None
    notices: tuple[str, ...]
    upstream_errors: tuple[str, ...] = ()
    fallbacks: int = 0
    cache_loss: CacheLoss | None = None
    traceparent: str = ""

    def facts(self) -> dict[str, Any]:
        """The record as a JSON object."""
        facts = {name: getattr(self, name) for name in _FACTS}
        facts["usage"] = self.usage._asdict() if self.usage is not None else None
        if (loss := self.cache_loss) is not None:
            facts["cache_loss"] = {**loss._asdict(), "text": str(loss)}
        return facts


_FACTS = tuple(field.name for field in fields(ExchangeRecord) if field.name != "gaps")


class Sink(Protocol):
    """Takes every record. Must not block, and must not raise."""

    def add(self, record: ExchangeRecord) -> None:
        """Take one record."""


class Shown(Struct):
    """What may be shown of a request: texts without any piece of a key, and what it could not carry over."""

    loud: list[Notice]
    """The first of its loud notices, with the beginnings of their texts."""
    notices: tuple[str, ...]
    """The codes of all loud ones."""
    path: str
    model: str
    upstream_id: str
    failure: str
    who: Sequence[str]
    """The ids of the session, of the agent and of its parent, and the agent's type."""


def shown_of(call: Call) -> Shown:
    """What may be shown of a request. All texts are masked at once: most often none has a key in it."""
    all_loud = [] if call.report is None else call.report.loud
    loud = all_loud[:_MOST_NOTICES]
    words = list(chain.from_iterable(map(_WORDS, loud)))
    who = map(call.headers.get, _WHO, repeat(""))
    texts = call.path, call.model, call.upstream_id, call.failure, *who, *map(_BEGINNING_OF_WORDS, words)
    path, model, upstream_id, failure, *rest = call.without_keys(*texts)
    if (shown := rest[len(_WHO) :]) != words:
        pairs = zip(loud, shown[::2], shown[1::2], strict=True)
        loud = [replace(notice, path=path, reason=reason) for notice, path, reason in pairs]
    codes = tuple(dict.fromkeys(map(_CODE, all_loud)))
    return Shown(loud, codes, path, model, upstream_id, failure, rest[: len(_WHO)])


def record_of(call: Call, shown: Shown | None = None) -> ExchangeRecord:
    """The record of a request that is over, of which `shown` may be there already."""
    served, headers = call.served_by, call.headers
    shown = shown or shown_of(call)
    error = call.error_type
    if not error and (call.failure or call.status >= 400):
        word = call.failure.partition(":")[0]  # of a stream that ended in an error event
        error = word if word in ERROR_TYPES else "api_error"
    record = ExchangeRecord.__new__(ExchangeRecord)  # a call with so many keywords takes six times as long
    record.ended = time.time()
    record.request_id = call.request_id
    who = map(_BEGINNING, shown.who)
    record.session_id, record.agent_id, record.parent_agent_id, record.agent_type = who
    record.request_class = class_of(headers)
    record.rule = call.rule
    record.operation = call.path.rstrip("/").rpartition("/")[2]
    record.asked = _BEGINNING(shown.model)
    record.model = record.provider = ""
    if served is not None:
        record.model = served.model_id
        record.provider = (served.native if served.format == "anthropic" else served.profile).name
    record.status = call.status
    record.outcome = "gone" if call.gone else "error" if error else "ok"
    record.error = error
    record.attempts = call.attempts
    record.seconds = call.clock() - call.began
    record.first_byte_seconds = None if call.first_byte is None else call.first_byte - call.began
    record.gaps = tuple(call.gaps or ())
    record.sent_bytes = call.sent_bytes
    record.usage = call.usage
    record.notices = shown.notices
    record.upstream_errors = tuple(call.upstream_errors)
    record.fallbacks = call.fallbacks
    record.cache_loss = call.cache_loss
    record.traceparent = _BEGINNING(headers.get("traceparent", ""))
    return record


def record_from(facts: dict[str, Any]) -> ExchangeRecord:
    """The record of which `facts` are the facts."""
    usage, loss = facts.get("usage"), facts.get("cache_loss")
    known = {name: facts[name] for name in _FACTS if name in facts}
    known |= {
        "gaps": (),
        "usage": Usage(**usage) if usage else None,
        "notices": tuple(facts["notices"]),
        "upstream_errors": tuple(facts.get("upstream_errors", ())),
        "cache_loss": CacheLoss(loss["cause"], loss["where"], loss["tokens"]) if loss else None,
    }
    return ExchangeRecord(**known)
