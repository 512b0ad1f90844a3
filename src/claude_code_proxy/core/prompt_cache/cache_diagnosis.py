"""Anthropic's `diagnostics`: why a request could not use the cache of the one before, with nothing stored.

A request with `diagnostics` gets a message id in which the fingerprints of its prompt are. The next one names
that id as `diagnostics.previous_message_id`, and its own prompt is compared with them. The shapes are those
of the Python SDK's `BetaDiagnostics` and `BetaCacheMissReason` (anthropic 0.70 and later).
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

from claude_code_proxy.core import wire
from claude_code_proxy.core.wire import list_at, value_at

_PREFIX = "msg_"
_VERSION = b"\xc1"
_SIZES = (4, 6, 6, 4, 8)  # bytes of the fingerprints in `Prompt`, in their order
_LENGTH = len(_VERSION) + sum(_SIZES) + 3 + 4
_CHECK = 4
_OTHERS = ("thinking", "tool_choice", "output_config", "temperature", "context_management")
_BILLING = "x-anthropic-billing-header:"


class Prompt(NamedTuple):
    """The fingerprints of a prompt: of its model, system, tools, other parameters and messages.

    `turns` is the number of messages, `tokens` about the length of all of it.
    """

    model: bytes
    system: bytes
    tools: bytes
    others: bytes
    messages: bytes
    turns: int
    tokens: int


def diagnose(
    request: dict[str, Any], asked: dict[str, Any], message_id: str, tokens: int
) -> tuple[str, dict[str, Any] | None]:
    """The id for the answer to `request`, and the answer's `diagnostics`.

    `asked` is the request's field of that name, `message_id` an id as any answer gets one (`msg_` and hex),
    `tokens` the length of the prompt.
    """
    prompt = fingerprints(request, tokens)
    named = asked.get("previous_message_id")
    reason = None
    if isinstance(named, str):
        before = read(named)
        reason = (
            {"type": "previous_message_not_found"} if before is None else _reason(before, prompt, request)
        )
    return _id_of(prompt, message_id), None if reason is None else {"cache_miss_reason": reason}


def fingerprints(request: dict[str, Any], tokens: int, count: int | None = None) -> Prompt:
    """Those of `request`, of its first `count` messages."""
    messages = list_at(request, "messages")
    count = len(messages) if count is None else count
    model, system, tools, others, said = (
        hashlib.blake2b(wire.dumps(value), digest_size=size).digest()
        for size, value in zip(
            _SIZES,
            (
                [request.get("model"), request.get("speed")],
                _system(request.get("system")),
                without_marks(request.get("tools")),
                [request.get(name) for name in _OTHERS],
                [_message(message) for message in messages[:count]],
            ),
            strict=True,
        )
    )
    return Prompt(model, system, tools, others, said, count, tokens)


def without_marks(value: Any) -> Any:
    """`value` without cache marks, which move with every request and are no part of the prompt."""
    if isinstance(value, dict):
        return {key: without_marks(inner) for key, inner in value.items() if key != "cache_control"}
    if isinstance(value, list):
        return [without_marks(inner) for inner in value]
    return value


def read(message_id: str) -> Prompt | None:
    """The fingerprints in an id of ours; None for any other id."""
    try:
        data = bytes.fromhex(message_id.removeprefix(_PREFIX))
    except ValueError:
        return None
    payload = data[:_LENGTH]
    if len(payload) < _LENGTH or data[_LENGTH : _LENGTH + _CHECK] != _check(payload):
        return None
    at = len(_VERSION)
    parts = []
    for size in _SIZES:
        parts.append(payload[at : at + size])
        at += size
    count, tokens = int.from_bytes(payload[at : at + 3]), int.from_bytes(payload[at + 3 :])
    return Prompt(parts[0], parts[1], parts[2], parts[3], parts[4], count, tokens)


def _id_of(prompt: Prompt, message_id: str) -> str:
    *parts, turns, tokens = prompt
    numbers = min(turns, 0xFFFFFF).to_bytes(3) + min(tokens, 0xFFFFFFFF).to_bytes(4)
    payload = _VERSION + b"".join(part for part in parts if isinstance(part, bytes)) + numbers
    return _PREFIX + (payload + _check(payload)).hex() + message_id.removeprefix(_PREFIX)


def _check(payload: bytes) -> bytes:
    return hashlib.blake2b(payload, digest_size=_CHECK, person=b"message id").digest()


def _reason(before: Prompt, now: Prompt, request: dict[str, Any]) -> dict[str, Any] | None:
    """The `cache_miss_reason`; None where what was cached could be used."""
    for kind in ("model", "system", "tools"):
        if getattr(before, kind) != getattr(now, kind):
            return {"type": f"{kind}_changed", "cache_missed_input_tokens": before.tokens}
    repeated = fingerprints(request, 0, before.turns)
    if now.turns < before.turns or repeated.messages != before.messages:
        kept = {"system": request.get("system"), "tools": request.get("tools")}
        share = len(wire.dumps(kept)) / len(wire.dumps(request))
        missed = max(before.tokens - round(now.tokens * share), 0)
        return {"type": "messages_changed", "cache_missed_input_tokens": missed}
    return {"type": "unavailable"} if before.others != now.others else None


def _system(value: Any) -> Any:
    """The system prompt in one form; the line in which Claude Code numbers its requests is none of it."""
    blocks = value if isinstance(value, list) else [{"type": "text", "text": value}]
    return [without_marks(block) for block in blocks if not _is_billing(block)]


def _is_billing(block: Any) -> bool:
    text = value_at(block, "text")
    return isinstance(text, str) and text.startswith(_BILLING)


def _message(message: Any) -> Any:
    """A message in one form: clients write a text as a block where they mark it, and as a string else."""
    content = value_at(message, "content")
    if isinstance(content, str):
        return {**message, "content": [{"type": "text", "text": content}]}
    return without_marks(message)
