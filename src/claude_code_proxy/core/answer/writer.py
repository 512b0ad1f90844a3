"""Deltas to Anthropic stream events: the one state machine of an answer.

State is one open block plus the deltas parked behind it. A tool call whose arguments are not complete keeps
its block open, and everything that belongs elsewhere waits in order; whatever else is open closes as soon
as another kind of content comes. `BlockEvents` sees to the order of the events.
"""

# ruff: noqa: SLF001 - the table of deltas at the end belongs to the class
from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from claude_code_proxy.core.answer import events
from claude_code_proxy.core.answer.block_events import BlockEvents
from claude_code_proxy.core.answer.ending import ending
from claude_code_proxy.core.answer.events import Event
from claude_code_proxy.core.answer.open_block import (
    MOST_BLANK,
    OpenBlock,
    ReasoningSeal,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
    whole_blocks,
)
from claude_code_proxy.core.answer.output_text import OutputText
from claude_code_proxy.core.answer.stop_sequences import StopSequences
from claude_code_proxy.core.answer_context import ReplyContext
from claude_code_proxy.core.continuity import ToolId, base62, client_tool_id
from claude_code_proxy.core.deltas import (
    Citation,
    Compaction,
    Delta,
    Failure,
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
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Report


class BlockWriter(BlockEvents):
    """Writes one answer. `write` deltas as they come, then `end` it, or `fail` it.

    `finish` is why the upstream stopped and `usage` its last count, as far as it has said. `reasoned`: the
    model reasoned, seen by the client or not; `stopped`: the proxy found a stop sequence, and the rest of
    the upstream's answer is not wanted. Each method returns the events to send, and raises `RuntimeError`
    out of order.
    """

    def __init__(self, profile: Profile, reply: ReplyContext, report: Report) -> None:
        super().__init__(begun=reply.begun)
        self._profile = profile
        self._reply = reply
        self._report = report
        self._parked: list[Delta] = []
        self._calls: dict[int, Literal["announced", "written"]] = {}
        self._used_ids: set[str] = set()  # filled by the first call
        self._stops = StopSequences(reply.local_stop_sequences) if reply.local_stop_sequences else None
        self._blank = ""  # white space that is text only if text follows
        self._pending: ReasoningSeal | None = None  # reasoning state without a block to put it in
        self._refusal: list[str] = []
        self._cited: list[Citation] = []  # for the end of the open text, or else of the next
        self.finish: Finish | None = None
        self._looked_up: list[WebSearch | WebFetch] = []
        self._due: Sequence[WebSearch | WebFetch | Compaction] | None = reply.looked_up  # until it has begun
        self._spent = 0  # output tokens of the responses that came to nothing
        self.said = OutputText()  # what went out, also past this writer into the open block
        self.usage: Usage | None = None
        self.reasoned = self.stopped = False

    @property
    def silent(self) -> bool:
        """Nothing was written that the client acts upon, and nothing waits to be."""
        held = self._stops is not None and self._stops.held
        return not (self.spoke or held or self._parked or self._refusal or self.stopped)

    def write(self, deltas: Iterable[Delta]) -> list[Event]:
        """Take deltas; the events they cause. A `Failure` is the caller's to handle with `fail`."""
        for delta in deltas:
            if not self.stopped or isinstance(delta, Usage):
                _TAKE[type(delta)](self, delta)
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
    def _text(self, delta: Text) -> None:
        text = delta.text
        inside = isinstance(self._open, TextBlock)
        if not inside:
            if self._blocked():
                self._parked.append(delta)
                return
            text = self._blank + text
            if len(text) <= MOST_BLANK and text.isspace():  # models write "\n\n" before tool calls
                self._blank = text
                return
            self._blank = ""
        if self._stops is not None:
            text = self._unstopped(self._stops, text)
        if not text:
            return
        if not inside:
            self._open_block(TextBlock(self._stops, self._cited))
        self.said.add(text)
        self._delta("text_delta", "text", text)

    def _unstopped(self, stops: StopSequences, text: str) -> str:
        """The text before a stop sequence; on a match the answer is over."""
        text = stops.feed(text)
        if stops.matched is not None:
            self.stopped = True
            self.finish = Finish("stop_sequence", stops.matched)
        return text

    def _refuse(self, refusal: Refusal) -> None:
        self._refusal.append(refusal.text)
        self._text(Text(refusal.text))

    def _cite(self, citation: Citation) -> None:
        self._cited.append(citation)

    def _count(self, usage: Usage) -> None:
        spent = self._spent
        self.usage = usage._replace(output_tokens=usage.output_tokens + spent) if spent else usage

    def _finish(self, finish: Finish) -> None:
        self.finish = finish

    def _reasoning(self, delta: Reasoning) -> None:
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
        self.said.add(delta.text)
        if self._reply.hide_thinking_text:
            block.hidden.append(delta.text)
        else:
            self._delta("thinking_delta", "thinking", delta.text)

    def _new_seal(self) -> ReasoningSeal:
        return ReasoningSeal(self._profile.name, self._reply.model)

    def _reasoning_state(self, state: ReasoningState) -> None:
        self.reasoned = True
        if not self._reply.show_thinking:
            reason = "the client did not ask for thinking"
            self._report.dropped("reasoning_state_dropped", "upstream", reason, quiet=True)
            return
        if isinstance(self._open, ThinkingBlock):
            self._open.seal.add(*state)
        elif state.items:
            self._pending = self._pending or self._new_seal()
            self._pending.add(*state)

    def _announce(self, start: ToolStart) -> None:
        if start.key in self._calls:
            raise RuntimeError(f"the tool call {start.key} was started twice")
        self._calls[start.key] = "announced"
        self._tool(start)

    def _tool(self, start: ToolStart) -> None:
        if self._blocked():
            self._parked.append(start)
            return
        raw = start.id or f"toolu_{base62(f'{self._reply.message_id}:{start.key}', 24)}"
        sealed_by = self._profile.name if start.id else ""
        self._used_ids = self._used_ids or set(self._reply.used_tool_ids)
        tool_id = client_tool_id(ToolId(raw, sealed_by, start.extra, self._reply.model), self._used_ids)
        self._used_ids.add(tool_id)
        self._calls[start.key] = "written"
        self._open_block(ToolUseBlock(start.key, tool_id, start.name, self._reply, self._report))

    def _arguments(self, delta: ToolArguments) -> None:
        block = self._open
        if not isinstance(block, ToolUseBlock) or block.key != delta.key:
            self._arguments_elsewhere(delta)
            return
        if out := block.gate.feed(delta.text):
            self.said.add(out)
            self._delta("input_json_delta", "partial_json", out)
        if self._parked and block.gate.complete:
            self._replay()

    def _arguments_elsewhere(self, delta: ToolArguments) -> None:
        """Arguments of a call that is not the open one: it waits, or it has ended."""
        state = self._calls.get(delta.key)
        if state is None:
            raise RuntimeError(f"arguments of the tool call {delta.key}, which was not started")
        if state == "announced":
            self._parked.append(delta)
        elif delta.text.strip():
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

    def _refuse_failure(self, _: Failure) -> None:
        raise RuntimeError("a failure ends the answer: call fail")

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
                _TAKE[type(delta)](self, delta)

    # --- out ------------------------------------------------------------------------------------------
    def _start(self) -> None:
        due, self._due = self._due, None
        if due is None:
            return
        if not self.started:
            message = events.message(self._reply)
            if self._profile.start_usage == "estimate":
                message["usage"]["input_tokens"] = self._reply.input_tokens
            self._emit(events.message_start(message))
            self._emit(events.PING)
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


_TAKE: dict[type[Delta], Callable[[BlockWriter, Any], None]] = {
    Text: BlockWriter._text,
    Reasoning: BlockWriter._reasoning,
    ReasoningState: BlockWriter._reasoning_state,
    ToolStart: BlockWriter._announce,
    ToolArguments: BlockWriter._arguments,
    WebSearch: BlockWriter._look_up,
    WebFetch: BlockWriter._look_up,
    Compaction: BlockWriter._look_up,
    Citation: BlockWriter._cite,
    Refusal: BlockWriter._refuse,
    Usage: BlockWriter._count,
    Finish: BlockWriter._finish,
    Failure: BlockWriter._refuse_failure,
}
"""What each delta does."""
