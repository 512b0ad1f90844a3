"""The request for a summary, what of its answer is the summary, and what the client gets of that."""

from __future__ import annotations

from typing import Any, NamedTuple

from claude_code_proxy.core.answer import events
from claude_code_proxy.core.answer.events import Event
from claude_code_proxy.core.answer_context import ReplyContext
from claude_code_proxy.core.compaction.tool_changes import tool_changes
from claude_code_proxy.core.compaction.wanted import wanted, without
from claude_code_proxy.core.deltas import Compaction

INSTRUCTIONS = """\
This conversation is about to be replaced by a summary, which you write now. Whoever goes on will have the \
summary and nothing else of it. Write down what it takes to go on without asking again:

1. What the user wants: goals, all instructions, limits and preferences, and the last request word for word.
2. What was done and found out: decisions with their reasons, files, names, identifiers, commands, numbers \
and code that are still needed, and what was tried in vain.
3. Where things stand: what is finished, what is under way, what the last results of tools said.
4. What comes next.

Put the summary between <summary> and </summary>."""
NO_TOOLS = "Do not call any tool now. Respond with text only."
LEAST_TOKENS = 8192
"""The output limit that a summary gets at least where the request's own limit is for its answer."""

_OPENS, _CLOSES = "<summary>", "</summary>"
_NOT_SENT = ("stop_sequences", "output_format", "diagnostics", "stream")
"""Fields that shape an answer and would spoil a summary."""
_WHY = {
    "max_tokens": "the output limit cut it",
    "tool_use": "the model called a tool in place of writing it",
    "refusal": "the model refused to write it",
    "model_context_window_exceeded": "the conversation leaves no room for it",
}


class Summary(NamedTuple):
    """What came of a request for a summary: the `text`, or None and `why`.

    `stop_reason` and `stop_details` are those of the model's answer, `usage` is an entry of `iterations`.
    """

    text: str | None
    why: str = ""
    stop_reason: str = "end_turn"
    stop_details: dict[str, Any] | None = None
    usage: tuple[dict[str, Any], ...] = ()


def summary_request(request: dict[str, Any], instructions: str, least_tokens: int = 0) -> dict[str, Any]:
    """The request for a summary of the conversation in `request`, in our words or the client's.

    System, tools and messages stay as they are and the instructions come last, so that the provider's cache
    hits.
    """
    asked = {key: value for key, value in without(request).items() if key not in _NOT_SENT}
    match asked:
        case {"tool_choice": {"type": "any" | "tool"}}:
            del asked["tool_choice"]
        case _:
            pass
    match asked:
        case {"output_config": dict(config)}:
            asked["output_config"] = {key: value for key, value in config.items() if key != "format"}
        case _:
            pass
    match asked:
        case {"max_tokens": int(limit)} if limit < least_tokens:
            asked["max_tokens"] = least_tokens
        case _:
            pass
    texts = [instructions or INSTRUCTIONS, *([NO_TOOLS] if asked.get("tools") else [])]
    block = {"type": "text", "text": "\n\n".join(texts)}
    messages = asked.get("messages")
    if isinstance(messages, list):
        asked["messages"] = _with_last(messages, block)
    return asked


def _with_last(messages: list[Any], block: dict[str, Any]) -> list[Any]:
    match messages:
        case [*before, {"role": "user", "content": str(text)} as last] if text:
            return [*before, {**last, "content": [{"type": "text", "text": text}, block]}]
        case [*before, {"role": "user", "content": list(blocks)} as last]:
            return [*before, {**last, "content": [*blocks, block]}]
        case _:
            return [*messages, {"role": "user", "content": [block]}]


def read_summary(message: dict[str, Any]) -> Summary:
    """The summary in the model's answer: its text, if it ends normally and calls no tool."""
    content = message["content"]
    counts = events.usage(0, 0)
    usage = {"type": "compaction", **{key: message["usage"].get(key, 0) for key in counts}}
    reason = message["stop_reason"]
    called = any(block["type"] == "tool_use" for block in content)
    text = _between_tags("\n".join(block["text"] for block in content if block["type"] == "text"))
    why = _WHY.get(reason, "" if text else "the model wrote none")
    if called:
        reason, why = ("tool_use" if reason == "end_turn" else reason), why or _WHY["tool_use"]
    return Summary(None if why else text, why, reason, message.get("stop_details"), (usage,))


def _between_tags(text: str) -> str:
    start = text.find(_OPENS)
    if start >= 0:
        end = text.rfind(_CLOSES)
        text = text[start + len(_OPENS) : end if end > start else None]
    return text.strip()


def compacted(request: dict[str, Any], summary: str, *, at_once: bool = False) -> Compaction:
    """The block with the `summary` of the conversation in `request`, and with what it changed about tools."""
    return Compaction(summary, tuple(tool_changes(request)), at_once)


def continued(request: dict[str, Any], block: Compaction) -> dict[str, Any]:
    """`request` with `block` in the place of its conversation."""
    return {**without(request), "messages": [{"role": "assistant", "content": [block.block]}]}


def answer(reply: ReplyContext, block: Compaction | None, summary: Summary) -> list[Event]:
    """The answer that is nothing but `block`, or nothing at all where no summary came.

    `message_start` is left out where the client has it already (`reply.begun`).
    """
    found: list[Event] = []
    if not reply.begun:
        found += [events.message_start(events.message(reply)), events.PING]
    reason, details = summary.stop_reason, summary.stop_details
    if block is not None:
        reason, details = "compaction", None
        found.append(events.block_start(0, block.start))
        found += [events.block_delta(0, *delta) for delta in block.deltas]
        found.append(events.block_stop(0))
    usage = {**events.usage(0, 0), "iterations": [*summary.usage]}
    end = events.message_delta(reason, None, usage, details, reply.applied_edits)
    return [*found, end, events.MESSAGE_STOP]


def explained(request: dict[str, Any]) -> dict[str, Any]:
    """What of `request` is converted first: its answer's own request, or the one for the summary."""
    asked = wanted(request)
    if asked is None:
        return request
    return without(request) if asked.trigger is not None else summary_request(request, asked.instructions)
