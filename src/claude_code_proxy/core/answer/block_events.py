"""The stream events of an answer, in the order that the Messages API's streaming reference gives them."""

from __future__ import annotations

from typing import Literal, TypeAlias

from claude_code_proxy.core.answer import events
from claude_code_proxy.core.answer.events import Event
from claude_code_proxy.core.answer.open_block import OpenBlock

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


class BlockEvents:
    """Collects events, one block after the other. One out of order raises `RuntimeError`.

    `begun`: the client has had `message_start` already. `spoke`: something was written that the client acts
    upon (text, a tool call, a search).
    """

    def __init__(self, *, begun: bool) -> None:
        self._state: State = "between blocks" if begun else "new"
        self._open: OpenBlock | None = None
        self._index = -1
        self._out: list[Event] = []
        self.spoke = False

    @property
    def started(self) -> bool:
        """`message_start` was written."""
        return self._state != "new"

    @property
    def finished(self) -> bool:
        """The terminal event was written."""
        return self._state == "ended"

    def _emit(self, event: Event) -> None:
        if (state := TRANSITIONS[self._state].get(event["type"])) is None:
            raise RuntimeError(f"{event['type']} cannot follow: the answer is {self._state}")
        self._state = state
        self._out.append(event)

    def _flush(self) -> list[Event]:
        out, self._out = self._out, []
        return out

    def _start_block(self, block: OpenBlock) -> None:
        self.spoke = self.spoke or not block.REASONING
        self._index, self._open = self._index + 1, block
        self._emit(events.block_start(self._index, block.start))

    def _delta(self, kind: str, field: str, value: str) -> None:
        add = self._out.append if self._state == "in a block" else self._emit  # most lead nowhere else
        add(events.block_delta(self._index, kind, field, value))

    def _close(self) -> None:
        block, self._open = self._open, None
        if block is None:
            return
        for delta in block.close():
            self._delta(*delta)
        self._emit(events.block_stop(self._index))
