"""Which event of an answer may follow which, as the Messages API's streaming reference says."""

from __future__ import annotations

from typing import Literal, TypeAlias

State: TypeAlias = Literal["new", "between blocks", "in a block", "ended"]
"""How far the answer has come."""

TRANSITIONS: dict[State, dict[str, State]] = {
    "new": {"message_start": "between blocks"},
    "between blocks": {
        "ping": "between blocks",
        "content_block_start": "in a block",
        "message_delta": "between blocks",
        "message_stop": "ended",
        "error": "ended",
    },
    "in a block": {
        "content_block_delta": "in a block",
        "content_block_stop": "between blocks",
        "error": "ended",
    },
    "ended": {},
}
"""The events that may be written in each state, and where each of them leads."""
