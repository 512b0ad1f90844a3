"""How an answer ends: the stop reason, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from claude_code_proxy.core.answer import events
from claude_code_proxy.core.answer.output_text import OutputText
from claude_code_proxy.core.answer_context import ReplyContext
from claude_code_proxy.core.deltas import Finish, StopReason, Usage, WebFetch, WebSearch
from claude_code_proxy.core.report import Report


def ending(
    finish: Finish | None,
    usage: Usage | None,
    reply: ReplyContext,
    report: Report,
    *,
    tools: bool,
    cut_tool: bool,
    refusal: str | None,
    said: OutputText,
    looked_up: Sequence[WebSearch | WebFetch],
) -> events.Event:
    """The `message_delta` of a complete answer.

    `tools`: it holds tool calls; `cut_tool`: the last one's arguments did not end; `refusal`: the text of a
    refusal; `said`: what was written, to estimate tokens where the upstream counted none; `looked_up`: the
    searches and pages in it.
    """
    finish = finish or Finish("end_turn")
    reason = finish.reason if refusal is None else "refusal"
    output_tokens = usage.output_tokens if usage is not None else 0
    if cut_tool and reason in ("tool_use", "end_turn") and output_tokens >= reply.max_tokens > 0:
        reason = "max_tokens"  # vLLM says `tool_calls` even where the output limit cut the arguments
        report.changed(
            "finish_reason_corrected", "upstream.finish_reason", "the output limit cut a tool call"
        )
    details = {"type": "refusal", "category": None, "explanation": refusal} if reason == "refusal" else None
    sequence = finish.stop_sequence if reason == "stop_sequence" else None
    counts = _counts(usage, reply, report, said)
    if looked_up:
        counts["server_tool_use"] = {
            "web_search_requests": sum(isinstance(one, WebSearch) and not one.failed for one in looked_up),
            "web_fetch_requests": sum(isinstance(one, WebFetch) and not one.failed for one in looked_up),
        }
    if reply.iterations is not None:
        own = {key: counts[key] for key in events.usage(0, 0)}
        counts["iterations"] = [*reply.iterations, {"type": "message", **own}]
    return events.message_delta(_with_tools(reason, tools), sequence, counts, details, reply.applied_edits)


def _with_tools(reason: StopReason, tools: bool) -> StopReason:
    """Providers say `stop` beside tool calls, and `tool_calls` without any."""
    if tools and reason == "end_turn":
        return "tool_use"
    return "end_turn" if not tools and reason == "tool_use" else reason


def _counts(usage: Usage | None, reply: ReplyContext, report: Report, said: OutputText) -> dict[str, Any]:
    if usage is None:  # an honest guess is better than zero: the client plans compaction by it
        report.emulated("usage_estimated", "upstream.usage", "the upstream sent no token counts")
        return events.usage(reply.input_tokens, round(reply.count(said.counts())))
    counts = events.usage(
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_creation_input_tokens,
        usage.cache_read_input_tokens,
    )
    if usage.thinking_tokens is not None:
        counts["output_tokens_details"] = {"thinking_tokens": usage.thinking_tokens}
    return counts
