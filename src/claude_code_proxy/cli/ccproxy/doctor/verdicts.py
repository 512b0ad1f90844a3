"""What an error of a provider means, and what to do about it."""

from __future__ import annotations

import re

from claude_code_proxy.cli.ccproxy.doctor.messages_client import AnswerError

_LATER = "the provider has trouble: try again later, see its status page, or name a fallback"
_MENDS = {
    "authentication_error": "check auth_key, and that it is a key of this provider: ccproxy edit",
    "permission_error": "check what this key may do at the provider",
    "billing_error": "the account has no credit left: top it up, or name a fallback",
    "rate_limit_error": "wait, or name a fallback",
    "overloaded_error": _LATER,
    "timeout_error": "use a faster model, or keep it loaded; check base_url and the network",
}
_BY_WORDS = (
    (r"a redirect (to|other)", "write the final address as base_url: ccproxy edit"),
    (r"\bcut\b|closed the connection|without message_stop|IncompleteRead|connection.* reset", (
        "the connection breaks: a proxy or firewall on the way, or the provider (its status page)"
    )),
    (r"response is not a chat completion", "no model answers there; check base_url: ccproxy edit"),
    (r"cannot find the host", "check base_url for a typo: ccproxy edit"),
    (r"cannot connect", "start the server, or check base_url: ccproxy edit"),
    (r"certificate", "check https and the certificate; NODE_EXTRA_CA_CERTS names further authorities"),
    (r"prompt is too long", "load the model with a larger window, or use another one"),
)  # fmt: skip
_ASK = "check base_url, and the provider's status page"
_MOST = 160


def advice(error: AnswerError, model: str = "") -> str:
    """What to do about an error; `model` is its name where that is not the session's own."""
    for pattern, advice in _BY_WORDS:
        if re.search(pattern, str(error)):
            return advice
    if error.type == "not_found_error":
        owner = model.partition("/")[0] if "/" in model else ""
        return f"check the name{f' {model}' if model else ''}: ccproxy models {owner}".strip()
    if error.status >= 500 and error.type in ("api_error", ""):
        return _LATER
    return _MENDS.get(error.type, _ASK)


def told(error: AnswerError) -> str:
    """The error on one line."""
    return f"{error.status} {error.type}: {short(str(error))}" if error.status else short(str(error))


def short(text: str) -> str:
    """Text from outside, on one line, and not too much of it."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return plain if len(plain) <= _MOST else plain[:_MOST] + "..."
