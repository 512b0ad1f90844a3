"""The content block that is open: how each kind starts, what its deltas are, and how it closes."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

from claude_code_proxy.core import wire
from claude_code_proxy.core.answer import events
from claude_code_proxy.core.answer.stop_sequences import StopSequences
from claude_code_proxy.core.answer.tool_json import argument_gate
from claude_code_proxy.core.answer_context import ReplyContext
from claude_code_proxy.core.continuity import base62, merge_details, seal_reasoning
from claude_code_proxy.core.deltas import Citation, Compaction, WebFetch, WebSearch
from claude_code_proxy.core.report import Report
from claude_code_proxy.core.request.anthropic_tools import member_of

MOST_BLANK = 4096
"""Characters of white space that are held back before a block."""


class BlockDelta(NamedTuple):
    """The delta of a `content_block_delta`: its type, the name of its one field, and the field's value."""

    type: str
    field: str
    value: Any


class ReasoningSeal:
    """Reasoning state of one provider and model, as it is collected for a signature."""

    def __init__(self, profile: str, model: str) -> None:
        self._profile = profile
        self._model = model
        self._kind = "none"
        self._items: list[Any] = []

    def add(self, kind: str, items: list[Any]) -> None:
        """Take more state; one answer has state of one kind."""
        self._kind = kind
        self._items += items

    def __bool__(self) -> bool:
        return bool(self._items)

    def close(self) -> str:
        """The signature that carries the state back."""
        items = merge_details(self._items) if self._kind == "rd" else self._items
        return seal_reasoning(self._profile, self._model, self._kind, items)


class OpenBlock:
    """One block. `DELTA` is the type and the field of the deltas that it is written with.

    `start` is the block as `content_block_start` shows it: without what comes in deltas.
    """

    DELTA: ClassVar[tuple[str, str]]
    REASONING: ClassVar[bool] = False
    """Whether it holds nothing but reasoning, which the client does not act upon."""
    start: dict[str, Any]

    @property
    def holds_others(self) -> bool:
        """Whether other content must wait until this block is complete."""
        return False

    def close(self) -> list[BlockDelta]:
        """What is still to be written before `content_block_stop`."""
        return []


class TextBlock(OpenBlock):
    """`stops` holds back what may be the beginning of a stop sequence.

    `cited` collects the pages that the text refers to; the block takes them out when it closes.
    """

    DELTA = ("text_delta", "text")

    def __init__(self, stops: StopSequences | None, cited: list[Citation]) -> None:
        self._stops = stops
        self._cited = cited
        self.start = {"type": "text", "text": ""}

    def close(self) -> list[BlockDelta]:
        """The text that turned out to be no stop sequence, and what the text cites."""
        if self._stops is None and not self._cited:
            return []
        held = self._stops.flush() if self._stops is not None else ""
        deltas = [BlockDelta(*self.DELTA, held)] if held else []
        deltas += [BlockDelta("citations_delta", "citation", events.web_citation(at)) for at in self._cited]
        self._cited.clear()
        return deltas


class ThinkingBlock(OpenBlock):
    """`seal` is what its signature carries; `hidden` the text that the client does not want to see."""

    DELTA = ("thinking_delta", "thinking")
    REASONING = True

    def __init__(self, seal: ReasoningSeal) -> None:
        self.seal = seal
        self.hidden: list[str] = []
        self.start = {"type": "thinking", "thinking": "", "signature": ""}

    def close(self) -> list[BlockDelta]:
        """The signature. Text that is hidden from the client still has to come back."""
        if self.hidden and not self.seal:
            self.seal.add("text", ["".join(self.hidden)])
        return [BlockDelta("signature_delta", "signature", self.seal.close())]


class RedactedThinkingBlock(OpenBlock):
    """Reasoning state that came without text: the block is whole when it starts."""

    DELTA = ThinkingBlock.DELTA
    REASONING = True

    def __init__(self, seal: ReasoningSeal) -> None:
        self.start = {"type": "redacted_thinking", "data": seal.close()}


class ToolUseBlock(OpenBlock):
    """A call. `gate` watches its arguments; until they are complete everything else waits."""

    DELTA = ("input_json_delta", "partial_json")

    def __init__(self, key: int, tool_id: str, name: str, reply: ReplyContext, report: Report) -> None:
        self.key = key
        self.gate = argument_gate(reply.left_out_arguments.get(name), report)
        self.start = {"type": "tool_use", "id": tool_id, "name": name, "input": {}}
        if (member := member_of(name)) is not None:
            self.start["toolset_name"], self.start["name"] = member

    @property
    def holds_others(self) -> bool:
        """Until the arguments are one whole JSON object."""
        return not self.gate.complete

    def close(self) -> list[BlockDelta]:
        """The arguments that were held back."""
        rest = self.gate.close()
        return [BlockDelta(*self.DELTA, rest)] if rest else []


class ServerToolBlock(OpenBlock):
    """A web search or a fetch that was run for the model."""

    DELTA = ToolUseBlock.DELTA

    def __init__(self, use_id: str, found: WebSearch | WebFetch, name: str) -> None:
        self.start = events.server_tool_use(use_id, name)
        self._input = wire.dumps_text(found.input)

    def close(self) -> list[BlockDelta]:
        """The input."""
        return [BlockDelta(*self.DELTA, self._input)]


class ServerResultBlock(OpenBlock):
    """What that found: the block is whole when it starts."""

    DELTA = ToolUseBlock.DELTA

    def __init__(self, use_id: str, found: WebSearch | WebFetch) -> None:
        if isinstance(found, WebSearch):
            self.start = events.web_search_result(use_id, found.pages)
        else:
            self.start = events.web_fetch_result(use_id, found)


class CompactionBlock(OpenBlock):
    """A summary that stands for the conversation so far."""

    DELTA = ("compaction_delta", "content")

    def __init__(self, found: Compaction) -> None:
        self.start = found.start
        self._deltas = found.deltas

    def close(self) -> list[BlockDelta]:
        """The summary."""
        return [BlockDelta(*delta) for delta in self._deltas]


def whole_blocks(found: WebSearch | WebFetch | Compaction, reply: ReplyContext) -> list[OpenBlock]:
    """The blocks of what was done for the model, and is over."""
    if isinstance(found, Compaction):
        return [CompactionBlock(found)]
    use_id = f"srvtoolu_{base62(f'{reply.message_id}:{found.key}', 24)}"
    name = reply.web_search or found.name
    return [ServerToolBlock(use_id, found, name), ServerResultBlock(use_id, found)]
