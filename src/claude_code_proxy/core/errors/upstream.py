"""Upstream failures as the Anthropic API would answer them.

`read_error` reads an HTTP error, `payload_error` an error inside a successful answer or a stream,
`transport_error` names what went wrong on the way. The provider's own words are kept; keys never are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from claude_code_proxy.core.errors import kinds
from claude_code_proxy.core.errors.api import ApiError, ErrorType
from claude_code_proxy.core.errors.context import ErrorContext
from claude_code_proxy.core.errors.fault import read_fault
from claude_code_proxy.core.errors.masking import without_key
from claude_code_proxy.core.errors.overflow import find_overflow, overflow_message
from claude_code_proxy.core.errors.rate_limits import plan_reset, rate_headers, retry_after
from claude_code_proxy.core.providers.profile import Profile

TransportKind = Literal[
    "connect", "dns", "tls", "reset", "timeout_connect", "timeout_first_byte", "timeout_idle", "cut"
]

_MAX_MESSAGE_BYTES = 2048
_RETRYABLE_STATUSES = frozenset({502, 503, 504})
_KEY_LIKE = re.compile(r"\b(?:sk|pk|rk|gsk|xai|nvapi|pplx|csk|fw|hf|key)[-_][\w*-]{12,}|\bAIza[\w-]{20,}")
_CREDENTIALS = re.compile(r"(?<=//)[^/@]*@|[?#].*")


def read_error(
    status: int, headers: Mapping[str, str], body: Any, context: ErrorContext, *, now: float = 0.0
) -> ApiError:
    """The error for an upstream response that is not a success.

    `headers` have lower-case names; `body` is bytes, text or parsed JSON; `now` is the time in epoch seconds
    (0: no clock).
    """
    secret, profile = context.secret, context.profile
    fault = read_fault(body)
    overflow = find_overflow(fault)
    kind = kinds.classify(status, fault)
    if overflow and kind in kinds.MAY_BE_OVERFLOW:
        message = overflow_message(
            overflow,
            estimate=context.input_tokens,
            max_tokens=context.max_tokens,
            window=profile.context_window,
        )
        return ApiError(400, "invalid_request_error", message, headers=rate_headers(headers, now))
    words = _mask(fault.message, secret) or (f"HTTP {status} without a message" if status >= 400 else "")
    reset = plan_reset(fault, now) if kind is kinds.PLAN_USED_UP else None
    told = words or "an error without a message"
    message = _shorten(_explain(kind, told if reset is None else f"{told} (until {_moment(reset)})", context))
    extra = rate_headers(headers, now)
    if kind.status == 429 or kind.status >= 500:
        extra |= retry_after(headers, fault, now)
    if kind.hopeless:
        extra["x-should-retry"] = "false"
    if reset is not None and now:
        extra["retry-after"] = str(max(0, math.ceil(reset - now)))
    return ApiError(
        kind.status,
        kind.type,
        # Claude Code recognises an unknown model by the message, so nothing stands before it.
        message if kind is kinds.UNKNOWN_MODEL else _named(message, profile),
        headers=extra,
        retryable=kind.again or (status in _RETRYABLE_STATUSES and not kind.hopeless),
    )


def payload_error(payload: Any, context: ErrorContext) -> ApiError | None:
    """The error inside a 200 body or a stream chunk, or None for a normal one.

    For a normal chunk this costs a few dictionary lookups.
    """
    if isinstance(payload, dict) and (choices := payload.get("choices")) and not payload.get("error"):
        found = _choice_error(choices) or _base_resp(payload)
    else:
        found = _error_body(payload)
    return None if found is None else read_error(200, {}, found, context)


def mid_stream(error: ApiError) -> ApiError:
    """`error` as it reads inside a stream that has begun, where no status or header can be sent any more.

    What passes by itself becomes `overloaded_error`, which is what clients retry there.
    """
    hopeless = error.headers.get("x-should-retry") == "false"
    if hopeless or error.type not in ("rate_limit_error", "overloaded_error"):
        return error
    return ApiError(529, "overloaded_error", error.message, headers=error.headers, details=error.details)


class _Transport(NamedTuple):
    """How one kind of transport failure is told."""

    status: int
    what: str
    advice: str
    retryable: bool


_TRANSPORT: dict[TransportKind, _Transport] = {
    "connect": _Transport(
        502, "cannot connect to", "check that the server runs and that `api_base` is right", retryable=True
    ),
    "dns": _Transport(
        502, "cannot find the host of", "check `api_base` for a typo, and the network", retryable=True
    ),
    "tls": _Transport(
        502,
        "no secure connection to",
        "check the certificate, the system's certificate authorities, and http or https in `api_base`",
        retryable=False,
    ),
    "reset": _Transport(502, "connection reset by", "usually passes; try again", retryable=True),
    "cut": _Transport(502, "response cut off by", "usually passes; try again", retryable=True),
    "timeout_connect": _Transport(
        504,
        "no connection in time to",
        "check the network, a firewall or proxy, and `api_base`",
        retryable=True,
    ),
    "timeout_first_byte": _Transport(
        504,
        "no response in time from",
        "the model may be loading or busy; raise first_byte_timeout",
        retryable=False,
    ),
    "timeout_idle": _Transport(
        504, "response stalled from", "try again, or raise idle_timeout", retryable=False
    ),
}


def transport_error(kind: TransportKind, detail: str, *, api_base: str) -> ApiError:
    """The error for a request that got no answer, or not all of it.

    `detail` is what the network library said; `api_base` is shown without credentials and query. Connection
    failures are 502 `api_error`, time limits 504 `timeout_error`.
    """
    told = _TRANSPORT[kind]
    because = f" ({_KEY_LIKE.sub('[key]', detail)})" if detail else ""
    error_type: ErrorType = "timeout_error" if told.status == 504 else "api_error"
    return ApiError(
        told.status,
        error_type,
        _shorten(f"{told.what} the upstream {_address(api_base)}{because}: {told.advice}"),
        headers={} if told.retryable or told.status == 504 else {"x-should-retry": "false"},
        retryable=told.retryable,
    )


def _choice_error(choices: Any) -> Any:
    """The error of a choice: OpenRouter writes it there, or only says `finish_reason: "error"`."""
    choice = choices[0] if isinstance(choices, list) else None
    if not isinstance(choice, dict):
        return None
    if choice.get("error"):
        return {"error": choice["error"]}
    if choice.get("finish_reason") != "error":
        return None
    reason = choice.get("native_finish_reason")
    if not isinstance(reason, str) or not reason:
        return {"message": "the provider ended the response with an error"}
    return {"message": f"the provider ended the response with an error ({reason})", "code": reason.lower()}


def _base_resp(payload: dict[str, Any]) -> Any:
    """MiniMax reports an error beside an answer with a number that is not 0."""
    base = payload.get("base_resp")
    return payload if isinstance(base, dict) and base.get("status_code") else None


def _error_body(payload: Any) -> Any:
    """`payload` itself if it has one of the shapes of an error, else None."""
    if isinstance(payload, list):
        return payload if payload and _error_body(payload[0]) is not None else None
    if not isinstance(payload, dict):
        return None
    named = payload.get("type") == "error" or payload.get("object") == "error"
    if named or payload.get("error") or payload.get("errors") or _base_resp(payload):
        return payload
    if "choices" in payload or "usage" in payload:
        return None
    if payload.get("detail") or payload.get("error_msg"):
        return payload
    coded = payload.get("code") not in (None, 0, 200, "", "0", "200")
    return payload if coded and isinstance(payload.get("message"), str) else None


def _explain(kind: kinds.Kind, words: str, context: ErrorContext) -> str:
    """The provider's words, and what they mean here where that is not obvious."""
    place = f" at {_address(context.api_base)}" if context.api_base else ""
    if kind is kinds.AUTH:
        return f"{words} (the upstream{place} refused the API key; it is the key sent with this request)"
    if kind is kinds.UNKNOWN_MODEL:
        return f"model: {context.model} - {words}"
    if kind is kinds.WRONG_ENDPOINT:
        return f"{words} (the upstream{place} does not have this endpoint: check `api_base`)"
    if kind is kinds.NO_ABILITY:
        return f"{words} (the request needs what this model cannot do at this provider: choose another model)"
    if kind is kinds.FILTERED:
        return f"{words} (refused by the provider's content filter)"
    return words


def _moment(seconds: float) -> str:
    """Epoch seconds for people."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _address(api_base: str) -> str:
    """`api_base` without user, password, query and fragment, where a key could stand."""
    return _CREDENTIALS.sub("", api_base)


def _named(message: str, profile: Profile) -> str:
    return message if profile.name == "custom" else f"{profile.name}: {message}"


def _mask(message: str, secret: str) -> str:
    """`message` without any piece of `secret` and without anything that looks like a key."""
    return _KEY_LIKE.sub("[key]", without_key(message, secret))


def _shorten(message: str) -> str:
    raw = message.encode("utf-8", errors="replace")
    if len(raw) <= _MAX_MESSAGE_BYTES:
        return message
    return raw[: _MAX_MESSAGE_BYTES - 3].decode("utf-8", errors="ignore") + "..."
