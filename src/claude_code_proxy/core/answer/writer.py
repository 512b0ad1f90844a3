"""Deltas to Anthropic stream events: the one state machine of an answer.

State is one open block plus the deltas parked behind it. A tool call whose arguments are not complete keeps
its block open, and everything that belongs elsewhere waits in order; whatever else is open closes as soon
as another kind of content comes. Which event may follow which is a table (`core.answer.transitions`).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from claude_code_proxy.core.answer import events
from claude_code_proxy.core.answer.ending import ending
from claude_code_proxy.core.answer.open_block import (
    MOST_BLANK,
    ReasoningSeal,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
    whole_blocks,
)
from claude_code_proxy.core.answer.output_text import OutputText
from claude_code_proxy.core.answer.stop_sequences import StopSequences
from claude_code_proxy.core.answer.transitions import TRANSITIONS
from claude_code_proxy.core.continuity import ToolId, base62, client_tool_id
from claude_code_proxy.core.deltas import (
    Citation,
    Compaction,
    Delta,
    Finish,
    Reasoning,
    ReasoningState,
    Refusal,
    Text,
    ToolArguments,
    ToolStart,
    Usage,
    WebFetch,
    WebSearch,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from claude_code_proxy.core.answer.events import Event
    from claude_code_proxy.core.answer.open_block import OpenBlock
    from claude_code_proxy.core.answer.transitions import State
    from claude_code_proxy.core.answer_context import ReplyContext
    from claude_code_proxy.core.errors.api import ApiError
    from claude_code_proxy.core.providers.profile import Profile
    from claude_code_proxy.core.report import Report


class BlockWriter:
    """Writes one answer. `write` deltas as they come, then `end` it, or `fail` it.

    `finish` is why the upstream stopped and `usage` its last count, as far as it has said. `spoke`: something
    was written that the client acts upon (text, a tool call, a search); `reasoned`: the model reasoned, seen
    by the client or not. Each method returns the events to send. One out of order raises `RuntimeError`.
    """

    def __init__(self, profile: Profile, reply: ReplyContext, report: Report) -> None:
        self._profile = profile
        self._reply = reply
        self._report = report
        self._state: State = "between blocks" if reply.begun else "new"
        self._open: OpenBlock | None = None
        self._index = -1
        self._parked: list[Delta] = []
        self._calls: dict[int, Literal["announced", "written"]] = {}
        self._used_ids = set(reply.used_tool_ids)
        self._stops = StopSequences(reply.local_stop_sequences) if reply.local_stop_sequences else None
        self._blank = ""  # white space that is text only if text follows
        self._new_seal = partial(ReasoningSeal, profile.name, reply.model)
        self._pending: ReasoningSeal | None = None  # reasoning state without a block to put it in
        self._refusal: list[str] = []
        self._cited: list[Citation] = []  # for the end of the open text, or else of the next
        self.finish: Finish | None = None
        self._out: list[Event] = []
        self._looked_up: list[WebSearch | WebFetch] = []
        self._due = reply.looked_up
        self._spent = 0  # output tokens of the responses that came to nothing
        self.said = OutputText()  # what went out, also past this writer into the open block
        self.usage: Usage | None = None
        self.spoke = self.reasoned = False

    @property
    def started(self) -> bool:
        """`message_start` was written."""
        return self._state != "new"

    @property
    def finished(self) -> bool:
        """The terminal event was written."""
        return self._state == "ended"

    @property
    def stopped(self) -> bool:
        """The proxy found a stop sequence: the rest of the upstream's answer is not wanted."""
        return self._stops is not None and self._stops.matched is not None

    @property
    def silent(self) -> bool:
        """Nothing was written that the client acts upon, and nothing waits to be."""
        held = self._stops is not None and self._stops.held
        return not (self.spoke or held or self._parked or self._refusal or self.stopped)

    def write(self, deltas: Iterable[Delta]) -> list[Event]:
        """Take deltas; the events they cause. A `Failure` is the caller's to handle with `fail`."""
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
        if self._open is None:
            self._emit(events.message_delta(None, None, {"output_tokens": 0}))
        else:
            self._delta(*self._open.DELTA, "")
        return self._flush()

    def end(self) -> list[Event]:
        """The answer is complete: close everything, say why it stopped and what it cost."""
        self._start()
        cut = self.open_tool == "partial"
        self._close()
        while self._parked:
            self._replay()
            self._close()
        self._flush_stops()
        self._flush_pending()
        if self._cited:
            self._report.dropped("citations_dropped", "upstream", "no text came after these citations")
        last = ending(
            self.finish,
            self.usage,
            self._reply,
            self._report,
            tools="written" in self._calls.values(),
            cut_tool=cut,
            refusal="".join(self._refusal) or None,
            said=self.said,
            looked_up=self._looked_up,
        )
        self._emit(last)
        self._emit(events.MESSAGE_STOP)
        return self._flush()

    def restart(self) -> None:
        """Another response takes the place of one that came to nothing: its reasoning stays, and its cost."""
        self._close()
        self._spent = self.usage.output_tokens if self.usage is not None else self._spent
        self.finish, self.usage, self._pending, self._blank = None, None, None, ""

    def fail(self, error: ApiError, request_id: str) -> list[Event]:
        """The answer cannot be completed: the terminal `error`, with the open block left open."""
        self._emit(error.envelope(request_id))
        return self._flush()

    @property
    def open_tool(self) -> Literal["none", "empty", "partial", "complete"]:
        """How far the open tool call's arguments have come; parked content means that it never ended."""
        if not isinstance(self._open, ToolUseBlock):
            return "none"
        gate = self._open.gate
        if self._parked or gate.incomplete:
            return "partial"
        return "complete" if gate.complete else "empty"

    def passes(self, delta: Delta) -> bool:
        """Whether more text like that of `delta`, just written as one event, may pass unread."""
        return self._stops is None or not isinstance(delta, Text)

    def pass_arguments(self, key: int, text: str) -> bool:
        """Take arguments that go out as they came, in whatever pieces; False, and none taken, if not so."""
        block, waiting = self._open, self._parked or self.stopped
        if waiting or not (isinstance(block, ToolUseBlock) and block.key == key and block.gate.pass_on(text)):
            return False
        self.said.add(text)
        return True

    # --- what each delta does -------------------------------------------------------------------------
    def _take(self, delta: Delta) -> None:
        match delta:  # the frequent ones first, and without taking them apart: half the time
            case Text():
                self._text(delta, delta.text)
            case ToolArguments():
                self._arguments(delta, delta.key, delta.text)
            case Reasoning():
                self._reasoning(delta, delta.text)
            case ToolStart(key):
                if key in self._calls:
                    raise RuntimeError(f"the tool call {key} was started twice")
                self._calls[key] = "announced"
                self._tool(delta)
            case ReasoningState(kind, items):
                self._reasoning_state(kind, items)
            case WebSearch() | WebFetch() | Compaction():
                self._look_up(delta)
            case Refusal(text):
                self._refusal.append(text)
                self._text(Text(text), text)
            case Citation():
                self._cited.append(delta)
            case Usage():
                self.usage = delta._replace(output_tokens=delta.output_tokens + self._spent)
            case Finish():
                self.finish = delta
            case _:
                raise RuntimeError("a failure ends the answer: call fail")

    def _text(self, delta: Delta, text: str) -> None:
        if not isinstance(self._open, TextBlock):
            if self._blocked():
                self._parked.append(delta)
                return
            text = self._blank + text
            if len(text) <= MOST_BLANK and text.isspace():  # models write "\n\n" before tool calls
                self._blank = text
                return
            self._blank = ""
            if not (text := self._unstopped(text)):
                return
            self._open_block(TextBlock(self._stops, self._cited))
        elif not (text := self._unstopped(text)):
            return
        self.said.add(text)
        self._delta("text_delta", "text", text)

    def _unstopped(self, text: str) -> str:
        """The text before a stop sequence; on a match the answer is over."""
        if self._stops is None:
            return text
        text = self._stops.feed(text)
        if self._stops.matched is not None:
            self.finish = Finish("stop_sequence", self._stops.matched)
        return text

    def _reasoning(self, delta: Delta, text: str) -> None:
        self.reasoned = True
        if not self._reply.show_thinking:
            return
        block = self._open
        if not isinstance(block, ThinkingBlock):
            if self._blocked():
                self._parked.append(delta)
                return
            block, self._pending = ThinkingBlock(self._pending or self._new_seal()), None
            self._open_block(block)
        self.said.add(text)
        if self._reply.hide_thinking_text:
            block.hidden.append(text)
        else:
            self._delta("thinking_delta", "thinking", text)

    def _reasoning_state(self, kind: str, items: list[Any]) -> None:
        self.reasoned = True
        if not self._reply.show_thinking:
            reason = "the client did not ask for thinking"
            self._report.dropped("reasoning_state_dropped", "upstream", reason, quiet=True)
            return
        if isinstance(self._open, ThinkingBlock):
            self._open.seal.add(kind, items)
        elif items:
            self._pending = self._pending or self._new_seal()
            self._pending.add(kind, items)

    def _tool(self, start: ToolStart) -> None:
        if self._blocked():
            self._parked.append(start)
            return
        raw = start.id or f"toolu_{base62(f'{self._reply.message_id}:{start.key}', 24)}"
        sealed_by = self._profile.name if start.id else ""
        tool_id = client_tool_id(ToolId(raw, sealed_by, start.extra, self._reply.model), self._used_ids)
        self._used_ids.add(tool_id)
        self._calls[start.key] = "written"
        self._open_block(ToolUseBlock(start.key, tool_id, start.name, self._reply, self._report))

    def _arguments(self, delta: Delta, key: int, text: str) -> None:
        block = self._open
        if not isinstance(block, ToolUseBlock) or block.key != key:
            self._arguments_elsewhere(delta, key, text)
            return
        if out := block.gate.feed(text):
            self.said.add(out)
            self._delta("input_json_delta", "partial_json", out)
        if self._parked and block.gate.complete:
            self._replay()

    def _arguments_elsewhere(self, delta: Delta, key: int, text: str) -> None:
        """Arguments of a call that is not the open one: it waits, or it has ended."""
        state = self._calls.get(key)
        if state is None:
            raise RuntimeError(f"arguments of the tool call {key}, which was not started")
        if state == "announced":
            self._parked.append(delta)
        elif text.strip():
            reason = "arguments after the call had ended"
            self._report.dropped("tool_arguments_late", "upstream.tool_calls", reason)

    def _look_up(self, found: WebSearch | WebFetch | Compaction) -> None:
        """A search is over when we hear of it: its two blocks are written whole, and none stays open."""
        if self._blocked():
            self._parked.append(found)
            return
        if not isinstance(found, Compaction):
            self._looked_up.append(found)
        for block in whole_blocks(found, self._reply):
            self._open_block(block)
        self._close()

    def _blocked(self) -> bool:
        """Whether another block must wait for the open one."""
        return bool(self._parked) or (self._open is not None and self._open.holds_others)

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
    def _emit(self, event: Event) -> None:
        if (state := TRANSITIONS[self._state].get(event["type"])) is None:
            raise RuntimeError(f"{event['type']} cannot follow: the answer is {self._state}")
        self._state = state
        self._out.append(event)

    def _flush(self) -> list[Event]:
        out, self._out = self._out, []
        return out

    def _start(self) -> None:
        if not self.started:
            message = events.message(self._reply)
            if self._profile.start_usage == "estimate":
                message["usage"]["input_tokens"] = self._reply.input_tokens
            self._emit(events.message_start(message))
            self._emit(events.PING)
        if self._due:
            due, self._due = self._due, ()
            for found in due:
                self._look_up(found)
            self.spoke = False  # all this is the proxy's own

    def _open_block(self, block: OpenBlock) -> None:
        """Open `block` after what has to stand before it."""
        self._start()
        self._close()
        if not isinstance(block, TextBlock):
            self._flush_stops()
        self._flush_pending()
        self._blank = ""
        self._start_block(block)

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

    def _flush_stops(self) -> None:
        """Write text that was held back as a possible stop sequence before its block was even opened."""
        if self._stops is not None and (held := self._stops.flush()):
            self.said.add(held)
            self._start_block(TextBlock(None, self._cited))
            self._delta(*TextBlock.DELTA, held)
            self._close()

    def _flush_pending(self) -> None:
        """Write reasoning state that came without text: a redacted block carries it."""
        if self._pending is not None:
            block, self._pending = RedactedThinkingBlock(self._pending), None
            self._start_block(block)
            self._close()
