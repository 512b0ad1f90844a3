"""New identifiers. Everything else in the project takes them as arguments."""

from __future__ import annotations

import secrets


def request_id() -> str:
    """An id for one request, in the form of Anthropic's own."""
    return "req_" + secrets.token_hex(12)


def message_id() -> str:
    """An id for one answer."""
    return "msg_" + secrets.token_hex(12)
