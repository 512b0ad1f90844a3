"""Deltas to Anthropic stream events: the one state machine of an answer.

State is one open block plus the deltas parked behind it. A tool call whose arguments are not complete keeps
its block open, and everything that belongs elsewhere waits in order; whatever else is open closes as soon
as another kind of content comes. Block indexes are contiguous, each block is closed before the next, and
the terminal event is either `message_stop` or `error`, never both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from claude_code_proxy.core import wire
from claude_code_proxy.core.answer import events
from claude_code_proxy.core.answer.ending import ending
from claude_code_proxy.core.answer.stop_sequences import StopSequences
from claude_code_proxy.core.answer.tool_json import ArgumentGate
from claude_code_proxy.core.continuity import (
    ToolId,
    base62,
    client_tool_id,
    merge_details,
    seal_reasoning,
)
from claude_code_proxy.core.deltas import (
    Delta,
    Finish,
    Reasoning,
    ReasoningState,
    Refusal,
    Text,
    ToolArguments,
    ToolStart,
    Usage,
    WebSearch,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from claude_code_proxy.core.answer.events import Event
    from claude_code_proxy.core.answer_context import ReplyContext
    from claude_code_proxy.core.errors.api import ApiError
    from claude_code_proxy.core.providers.profile import Profile
    from claude_code_proxy.core.report import Report


@dataclass(slots=True)
class _Block:
    kind: Literal["text", "thinking", "tool", "search"]
    key: int = -1  # of a tool call
    gate: ArgumentGate | None = None
    state: list[Any] | None = None  # of a thinking block: what to seal
    state_kind: str = "none"
    hidden: list[str] = field(default_factory=list)  # of a thinking block: text the client does not want


class BlockWriter:
    """Writes one answer. `write` deltas as they come, then `end` it, or `fail` it.

    Each method returns the events to send. After `end` or `fail` nothing more may be written; doing so
    raises `RuntimeError`.
    """

    def __init__(self, profile: Profile, reply: ReplyContext, report: Report) -> None:
        self._profile = profile
        self._reply = reply
        self._report = report
        self._stops = StopSequences(reply.local_stop_sequences) if reply.local_stop_sequences else None
        self._open: _Block | None = None
        self._index = -1
        self._parked: list[Delta] = []
        self._begun: set[int] = set()  # tool calls that were announced
        self._keys: set[int] = set()  # tool calls that have or had a block
        self._used_ids = set(reply.used_tool_ids)
        self._blank = ""  # white space that is text only if text follows
        self._pending: list[Any] = []  # reasoning state without a block to put it in
        self._pending_kind = "none"
        self._refusal: list[str] | None = None
        self._finish: Finish | None = None
        self._characters = 0
        self._out: list[Event] = []
        self.started = False
        """`message_start` was written."""
        self.finished = False
        """The terminal event was written."""
        self.stopped = False
        """The proxy found a stop sequence: the rest of the upstream's answer is not wanted."""
        self.usage: Usage | None = None
        """The upstream's last count."""

    # --- in -------------------------------------------------------------------------------------------

    def write(self, deltas: Iterable[Delta]) -> list[Event]:
        """Take deltas; the events they cause. A `Failure` is the caller's to handle with `fail`."""
        if self.finished:
            raise RuntimeError("the answer has ended")
        for delta in deltas:
            if self.stopped and not isinstance(delta, Usage):
                continue
            self._take(delta)
        return self._flush()

    def begin(self) -> list[Event]:
        """Write `message_start` now, though nothing has come yet."""
        self._start()
        return self._flush()

    def progress(self) -> list[Event]:
        """An event without content that Claude Code was seen to count as progress, whatever its version."""
        self._start()
        open_ = self._open
        if open_ is None:
            self._out.append(events.message_delta(None, None, {"output_tokens": 0}))
        elif open_.kind == "text":
            self._delta("text_delta", "text", "")
        elif open_.kind == "thinking":
            self._delta("thinking_delta", "thinking", "")
        else:
            self._delta("input_json_delta", "partial_json", "")
        return self._flush()

    def end(self) -> list[Event]:
        """The answer is complete: close everything, say why it stopped and what it cost."""
        if self.finished:
            raise RuntimeError("the answer has ended")
        self._start()
        cut = self.open_tool == "partial"
        self._close()
        while self._parked:
            self._replay()
            self._close()
        self._flush_stops()
        self._seal_pending()
        self._out.append(
            ending(
                self._finish,
                self.usage,
                self._reply,
                self._report,
                tools=bool(self._keys),
                cut_tool=cut,
                refusal=None if self._refusal is None else "".join(self._refusal),
                characters=self._characters,
            )
        )
        self._out.append(events.MESSAGE_STOP)
        self.finished = True
        return self._flush()

    def fail(self, error: ApiError, request_id: str) -> list[Event]:
        """The answer cannot be completed: the terminal `error`, with the open block left open."""
        self.finished = True
        self._out.append(error.envelope(request_id))
        return self._flush()

    @property
    def open_tool(self) -> Literal["none", "empty", "partial", "complete"]:
        """How far the open tool call's arguments have come; parked content means that it never ended."""
        gate = self._open.gate if self._open is not None else None
        if gate is None:
            return "none"
        if self._parked or gate.incomplete:
            return "partial"
        return "complete" if gate.complete else "empty"

    def passes(self, delta: Delta) -> bool:
        """Whether more text like that of `delta`, just written as one event, may pass unread."""
        return self._stops is None or not isinstance(delta, Text)

    def passed(self, characters: int) -> None:
        """Take note of so much text that went on into the open block past this writer."""
        self._characters += characters

    # --- transitions ----------------------------------------------------------------------------------

    def _take(self, delta: Delta) -> None:
        match delta:  # the frequent ones first, and without taking them apart: half the time
            case Text():
                self._text(delta, delta.text)
            case ToolArguments():
                self._arguments(delta, delta.key, delta.text)
            case Reasoning():
                self._reasoning(delta, delta.text)
            case ToolStart(key):
                if key in self._begun:
                    raise RuntimeError(f"the tool call {key} was started twice")
                self._begun.add(key)
                self._tool(delta)
            case ReasoningState(kind, items):
                self._state(kind, items)
            case WebSearch():
                self._search(delta)
            case Refusal(text):
                if self._refusal is None:
                    self._refusal = []
                self._refusal.append(text)
                self._text(Text(text), text)
            case Usage():
                self.usage = delta
            case Finish():
                self._finish = delta
            case _:
                raise RuntimeError("a failure ends the answer: call fail")

    def _text(self, delta: Delta, text: str) -> None:
        open_ = self._open
        if open_ is None or open_.kind != "text":
            if self._blocked():
                self._parked.append(delta)
                return
            text = self._blank + text
            if text.isspace():  # models write "\n\n" between reasoning and tool calls
                self._blank = text
                return
            self._blank = ""
            if self._stops is not None and not (text := self._unstopped(text)):
                return
            self._open_block("text", {"type": "text", "text": ""})
        elif self._stops is not None and not (text := self._unstopped(text)):
            return
        self._characters += len(text)
        self._delta("text_delta", "text", text)

    def _unstopped(self, text: str) -> str:
        """The text before a stop sequence; on a match the answer is over."""
        assert self._stops is not None
        text = self._stops.feed(text)
        if self._stops.matched is not None:
            self.stopped = True
            self._finish = Finish("stop_sequence", self._stops.matched)
        return text

    def _reasoning(self, delta: Delta, text: str) -> None:
        if not self._reply.show_thinking:
            return
        open_ = self._open
        if open_ is None or open_.kind != "thinking":
            if self._blocked():
                self._parked.append(delta)
                return
            state, kind = self._pending, self._pending_kind
            self._pending, self._pending_kind = [], "none"
            self._open_block("thinking", {"type": "thinking", "thinking": "", "signature": ""})
            assert self._open is not None
            self._open.state, self._open.state_kind = state, kind
        if self._reply.hide_thinking_text:
            assert self._open is not None
            self._open.hidden.append(text)
        else:
            self._characters += len(text)
            self._delta("thinking_delta", "thinking", text)

    def _state(self, kind: str, items: list[Any]) -> None:
        if not self._reply.show_thinking:
            self._report.dropped(
                "reasoning_state_dropped", "upstream", "the client did not ask for thinking", quiet=True
            )
        elif self._open is not None and self._open.state is not None:
            self._open.state += items
            self._open.state_kind = kind
        else:
            self._pending += items
            self._pending_kind = kind

    def _tool(self, start: ToolStart) -> None:
        if self._blocked():
            self._parked.append(start)
            return
        raw = start.id or f"toolu_{base62(f'{self._reply.message_id}:{start.key}', 24)}"
        sealed_by = self._profile.name if start.id else ""
        tool_id = client_tool_id(ToolId(raw, sealed_by, start.extra), self._used_ids)
        self._used_ids.add(tool_id)
        self._keys.add(start.key)
        self._open_block("tool", {"type": "tool_use", "id": tool_id, "name": start.name, "input": {}})
        assert self._open is not None
        self._open.key, self._open.gate = start.key, ArgumentGate(self._report)

    def _arguments(self, delta: Delta, key: int, text: str) -> None:
        open_ = self._open
        if open_ is None or open_.key != key:
            if key not in self._begun:
                raise RuntimeError(f"arguments of the tool call {key}, which was not started")
            if key not in self._keys:
                self._parked.append(delta)
            elif text.strip():
                self._report.dropped(
                    "tool_arguments_late", "upstream.tool_calls", "arguments after the call had ended"
                )
            return
        assert open_.gate is not None
        out = open_.gate.feed(text)
        if out:
            self._characters += len(out)
            self._delta("input_json_delta", "partial_json", out)
        if self._parked and open_.gate.complete:
            self._replay()

    def _search(self, search: WebSearch) -> None:
        """A search is over when we hear of it: its two blocks are written whole, and none stays open."""
        if self._blocked():
            self._parked.append(search)
            return
        use_id = f"srvtoolu_{base62(f'{self._reply.message_id}:{search.key}', 24)}"
        self._open_block("search", events.server_tool_use(use_id, self._reply.web_search))
        self._delta("input_json_delta", "partial_json", wire.dumps_text({"query": search.query}))
        self._open_block("search", events.web_search_result(use_id, search.urls))
        self._close()

    def _blocked(self) -> bool:
        """Whether another block must wait for the open one."""
        gate = self._open.gate if self._open is not None else None
        return bool(self._parked) or (gate is not None and not gate.complete)

    def _replay(self) -> None:
        """Take up what was parked; what is still blocked parks itself again."""
        self._close()
        parked, self._parked = self._parked, []
        for delta in parked:
            if isinstance(delta, ToolStart):
                self._tool(delta)
            else:
                self._take(delta)

    # --- out ------------------------------------------------------------------------------------------

    def _flush(self) -> list[Event]:
        out, self._out = self._out, []
        return out

    def _start(self) -> None:
        if self.started:
            return
        self.started = True
        message = events.message(self._reply.message_id, self._reply.model)
        if self._profile.start_usage == "estimate":
            message["usage"]["input_tokens"] = self._reply.input_tokens
        self._out.append(events.message_start(message))
        self._out.append(events.PING)

    def _open_block(self, kind: Literal["text", "thinking", "tool", "search"], block: dict[str, Any]) -> None:
        self._start()
        self._close()
        if kind != "text":
            self._flush_stops()
        self._seal_pending()
        self._blank = ""
        self._index += 1
        self._open = _Block(kind)
        self._out.append(events.block_start(self._index, block))

    def _delta(self, kind: str, field: str, value: str) -> None:
        self._out.append(events.block_delta(self._index, kind, field, value))

    def _close(self) -> None:
        open_, self._open = self._open, None
        if open_ is None:
            return
        if open_.kind == "thinking":
            self._delta("signature_delta", "signature", self._signature(open_))
        elif open_.gate is not None:
            if rest := open_.gate.close():
                self._delta("input_json_delta", "partial_json", rest)
        elif self._stops is not None and (held := self._stops.flush()):
            self._delta("text_delta", "text", held)
        self._out.append(events.block_stop(self._index))

    def _flush_stops(self) -> None:
        """Text that was held back as a possible stop sequence before its block was even opened."""
        held = self._stops.flush() if self._stops is not None else ""
        if held:
            self._characters += len(held)
            self._index += 1
            self._out.append(events.block_start(self._index, {"type": "text", "text": ""}))
            self._delta("text_delta", "text", held)
            self._out.append(events.block_stop(self._index))

    def _seal_pending(self) -> None:
        """Reasoning state that came without text: a redacted block carries it."""
        if self._pending:
            data = self._seal(self._pending_kind, self._pending)
            self._pending, self._pending_kind = [], "none"
            self._index += 1
            self._out.append(events.block_start(self._index, {"type": "redacted_thinking", "data": data}))
            self._out.append(events.block_stop(self._index))

    def _signature(self, block: _Block) -> str:
        """The seal of a thinking block; text that is hidden from the client still has to come back."""
        if not block.state and block.hidden:
            return self._seal("text", ["".join(block.hidden)])
        return self._seal(block.state_kind, block.state or [])

    def _seal(self, kind: str, items: list[Any]) -> str:
        if kind == "rd":
            items = merge_details(items)
        return seal_reasoning(self._profile.name, self._reply.model, kind, items)
