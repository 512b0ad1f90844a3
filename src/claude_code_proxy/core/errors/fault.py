"""Reading what upstreams put into error bodies: one `Fault` from a dozen shapes.

OpenAI `{"error": {...}}`, a plain string as `error`, FastAPI's `detail`, Gemini's one-element list, MiniMax's
`base_resp`, OpenRouter's error inside `metadata.raw`, HTML from a gateway, plain text, a bare JSON string.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from claude_code_proxy.core import wire
from claude_code_proxy.core.header_values import whole_number
from claude_code_proxy.core.wire import object_at, value_at

_MAX_RAW_CHARS = 500
_MAX_CHARS = 4096  # what is searched stays short, whatever an upstream sends: its beginning and its end
_TAIL_CHARS = 1024
_MOST_PLAIN = 64 << 10  # characters that are searched for a title
_MAX_DEPTH = 6
_TAG = re.compile(r"<[^<>]+>")
_HTML = re.compile(r"\s*<(?:!doctype|html|head|body|\?xml)", re.IGNORECASE)
_MESSAGE_KEYS = ("message", "Message", "detail", "msg", "status_msg", "error_msg", "title")


class Fault(NamedTuple):
    """What an error body says.

    `message` is in the provider's words and may be empty. `codes` are its code words, most specific first,
    in lower case. `status` is an HTTP status named inside the body, else 0. `base_code` is the number in
    `base_resp`, which has a numbering of its own. `fields` is the innermost error object.
    """

    message: str
    codes: tuple[str, ...] = ()
    status: int = 0
    base_code: int = 0
    param: str = ""
    fields: dict[str, Any] = {}  # noqa: RUF012 - never written to


def parse(body: Any) -> Any:
    """The JSON value of an upstream body, or its text where it is not JSON."""
    if not isinstance(body, bytes | str):
        return body
    try:
        return wire.loads_bounded(body)
    except wire.WireError:
        return body if isinstance(body, str) else body.decode("utf-8", errors="replace")


def read_fault(body: Any) -> Fault:
    """The fault in an upstream body, given as bytes, text or parsed JSON. Never raises."""
    body = parse(body)
    if isinstance(body, list) and body and isinstance(body[0], dict):
        body = body[0]
    if not isinstance(body, dict):
        return Fault(_plain(body) if isinstance(body, str) else _words(body))
    error = body.get("error")
    fields = error if isinstance(error, dict) else body
    inner = fields.get("error")
    if isinstance(inner, dict):
        fields = {**fields, **inner}
    base_code = _integer(value_at(body, "base_resp", "status_code"))
    message, raw_codes = _message(body, error, fields)
    codes = raw_codes + _codes(fields, body)
    statuses = [_http_status(part.get(key)) for part in (fields, body) for key in _STATUS_KEYS]
    param = fields.get("param")
    return Fault(
        message=_shorten(message),
        codes=tuple(dict.fromkeys(codes)),
        status=next((status for status in statuses if status), 0),
        base_code=base_code,
        param=param if isinstance(param, str) else "",
        fields=fields,
    )


def _shorten(message: str) -> str:
    if len(message) <= _MAX_CHARS:
        return message
    return f"{message[: _MAX_CHARS - _TAIL_CHARS]} ... {message[-_TAIL_CHARS:]}"


_STATUS_KEYS = ("code", "status_code", "http_code", "status")


def _message(body: dict[str, Any], error: Any, fields: dict[str, Any]) -> tuple[str, list[str]]:
    """The message, and code words found in an error nested as JSON text."""
    raw = value_at(fields, "metadata", "raw")
    own = _words(error) if error else ""
    if isinstance(raw, str) and raw.strip():
        # OpenRouter's own message is only "Provider returned error"; the reason is in here.
        nested = read_fault(raw)
        return ": ".join(part for part in (own, nested.message) if part), list(nested.codes)
    errors = body.get("errors")
    candidates = (own, _words(body), _words(errors), _words(body.get("base_resp")))
    return next((text for text in candidates if text), ""), []


def _codes(fields: dict[str, Any], body: dict[str, Any]) -> list[str]:
    """The code words, most specific first."""
    codes: list[str] = []
    parts = [fields, object_at(fields, "innererror"), body]
    values = [part.get(key) for part in parts for key in ("code", "type", "status", "error_type")]
    details = fields.get("details")
    if isinstance(details, list):
        values += [item.get("reason") for item in details if isinstance(item, dict)]
    for value in values:
        if isinstance(value, str) and value and value != "error":
            codes.append(value.lower())
        elif isinstance(value, int) and not isinstance(value, bool):
            codes.append(str(value))
    return codes


def _words(value: Any, depth: int = 0) -> str:
    """The readable text in a message-like value: a string, an object with a message, a list of those."""
    if isinstance(value, str):
        return value.strip()
    if depth > _MAX_DEPTH:
        return ""
    if isinstance(value, list):
        return "; ".join(text for item in value[:5] if (text := _words(item, depth + 1)))
    if not isinstance(value, dict):
        return ""
    for key in ("error", *_MESSAGE_KEYS):
        if text := _words(value.get(key), depth + 1):
            place = value.get("loc")
            if isinstance(place, list):
                return f"{'.'.join(str(part) for part in place)}: {text}"
            return text
    return ""


def _plain(text: str) -> str:
    """Text that is not JSON: at most 500 characters; of HTML the title, else the first heading."""
    text = text[:_MOST_PLAIN]
    if _HTML.match(text):
        text = _element(text, "title") or _element(text, "h1") or "an HTML page without a title"
    text = " ".join(_TAG.sub(" ", text).split())
    return text[:_MAX_RAW_CHARS]


def _element(html: str, name: str) -> str:
    """What stands in the first element of this name."""
    lower = html.lower()
    opened = lower.find(f"<{name}")
    start = lower.find(">", opened) + 1 if opened >= 0 else 0
    end = lower.find(f"</{name}>", start) if start else -1
    return html[start:end].strip() if end >= 0 else ""


def _integer(value: Any) -> int:
    """`value` as an integer, numeric strings included; 0 for anything else."""
    if isinstance(value, int):
        return int(value)
    return (whole_number(value) or 0) if isinstance(value, str) else 0


def _http_status(value: Any) -> int:
    """`value` where it can only be an HTTP error status, else 0."""
    number = _integer(value)
    return number if 400 <= number <= 599 else 0
