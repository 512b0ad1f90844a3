"""New identifiers. Everything else in the project takes them as arguments."""

from __future__ import annotations

import random
import secrets


def request_id() -> str:
    """An id for one request, in the form of Anthropic's own."""
    return f"req_{random.getrandbits(96):024x}"


def message_id() -> str:
    """An id for one answer."""
    return f"msg_{random.getrandbits(96):024x}"


def unguessable() -> str:
    """A string that nobody else can know."""
    return secrets.token_hex(16)
