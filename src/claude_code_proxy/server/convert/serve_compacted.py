"""Requests that ask for compaction: the model that answers them writes the summary first.

The summary is a request of its own, with the same system, tools and messages, so that the provider's cache
hits. The client hears keep-alives meanwhile, and going away cancels it.
"""

from __future__ import annotations

import asyncio
from typing import Any

from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.core import sse
from claude_code_proxy.core.answer.message import fold
from claude_code_proxy.core.answer_context import ReplyContext
from claude_code_proxy.core.compaction import summary as summaries
from claude_code_proxy.core.compaction.summary import Summary
from claude_code_proxy.core.compaction.wanted import Wanted, has_news, without
from claude_code_proxy.core.convert_answer import StreamConverter
from claude_code_proxy.core.deltas import Compaction
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.providers.turn_headers import sent_headers
from claude_code_proxy.core.report import Report
from claude_code_proxy.core.request.fields import boolean_or_none, required_text
from claude_code_proxy.server.caller import ids
from claude_code_proxy.server.caller.body import ClientGoneError
from claude_code_proxy.server.caller.call import Call
from claude_code_proxy.server.caller.caller_keys import CallerKeys
from claude_code_proxy.server.convert.outgoing import OutgoingRequest
from claude_code_proxy.server.convert.serve_converted import answer
from claude_code_proxy.server.gateway import Gateway
from claude_code_proxy.server.inner_call import inner_call
from claude_code_proxy.server.log import logger
from claude_code_proxy.server.records.statistics import add_session_stats
from claude_code_proxy.server.upstream.exchange import Exchange

_CLASS = "compaction"


async def serve_compacted(
    gateway: Gateway, call: Call, config: ModelConfig, request: dict[str, Any], size: int, wanted: Wanted
) -> None:
    """Answer `POST /v1/messages`; `size` is the request's length in bytes. Raises `ApiError`."""
    rest = without(request)
    request.clear()  # whoever else holds it holds nothing
    if wanted.trigger is None:
        await _summarize(gateway, call, config, rest, size, wanted)
        return
    own_headers = sent_headers(config.profile.headers, rest)
    outgoing = await OutgoingRequest.of(gateway, call, config, rest, size)
    outgoing.iterations = ()
    reached = outgoing.converted.max_tokens > 0 and outgoing.input_tokens >= wanted.trigger
    if reached and has_news(rest.get("messages")):
        outgoing.report.emulated(
            "compaction_emulated",
            "context_management.edits",
            f"{outgoing.input_tokens} tokens: the model summarizes the conversation first",
        )
        if await _compact(gateway, call, outgoing, rest, size, wanted):
            return
    await answer(call, outgoing, own_headers)


async def _summarize(
    gateway: Gateway, call: Call, config: ModelConfig, request: dict[str, Any], size: int, wanted: Wanted
) -> None:
    """Answer with the summary, or with nothing where the model wrote none. Raises `ApiError`."""
    model = required_text(request, "model", "request")
    reply, report = ReplyContext(model=model, message_id=ids.message_id()), Report()
    report.emulated("compaction_emulated", "compaction", "the model writes the summary")
    call.reports(report)
    streams = boolean_or_none(request, "stream") is True
    translator = StreamConverter(config.profile, reply, report, call.request_id)
    limits = gateway.limits.of(config)
    asking = _ask(gateway, call, config, summaries.summary_request(request, wanted.instructions), size)
    async with Exchange(call, limits, (lambda: translator) if streams else None) as exchange:
        summary = await _meanwhile(exchange, asking)
        block = None
        if summary.text is not None:
            block = summaries.compacted(request, summary.text, at_once=True)
        else:
            report.dropped("compaction_failed", "compaction", f"no summary: {summary.why}")
        request.clear()
        reply.begun = translator.started
        await _respond(call, exchange, reply, report, block, summary, streams=streams)


async def _compact(
    gateway: Gateway,
    call: Call,
    outgoing: OutgoingRequest,
    request: dict[str, Any],
    size: int,
    wanted: Wanted,
) -> bool:
    """Have the conversation summarized; True where that was all of the answer.

    Without a summary the answer comes from the whole conversation. Raises `ApiError` and `ClientGoneError`.
    """
    config, report = outgoing.config, outgoing.report
    call.reports(report)
    streams = outgoing.converted.stream
    translator = StreamConverter(outgoing.profile, outgoing.reply, report, call.request_id)
    limits = gateway.limits.of(config)
    body = summaries.summary_request(request, wanted.instructions, summaries.LEAST_TOKENS)
    summary = None
    async with Exchange(call, limits, (lambda: translator) if streams else None) as exchange:
        try:
            summary = await _meanwhile(exchange, _ask(gateway, call, config, body, size))
        except ApiError as error:
            summary = Summary(None, call.redacted(error).message)
        outgoing.begun = translator.started
        outgoing.iterations = summary.usage
        if summary.text is not None and wanted.pauses:
            block = summaries.compacted(request, summary.text)
            await _respond(call, exchange, outgoing.reply, report, block, summary, streams=streams)
            return True
    if summary is None:  # nobody waits for it any more
        raise ClientGoneError
    if summary.text is None:
        logger.warning("%s: not compacted: %s", call.request_id, summary.why)
        report.dropped("compaction_failed", "context_management.edits", f"no summary: {summary.why}")
        outgoing.looked_up = (Compaction(None),)
    else:
        block = summaries.compacted(request, summary.text)
        await outgoing.replace(summaries.continued(request, block))
        outgoing.looked_up = (block,)
    return False


async def _meanwhile(exchange: Exchange, asking: Any) -> Summary:
    task: asyncio.Task[Summary] = asyncio.create_task(asking)
    await exchange.meanwhile(task)
    return task.result()


async def _ask(
    gateway: Gateway, outer: Call, config: ModelConfig, body: dict[str, Any], size: int
) -> Summary:
    """What the model writes as the answer to the request for a summary. Raises `ApiError`."""

    async def serve(call: Call, _keys: CallerKeys) -> None:
        call.served_by = config
        try:
            own_headers = sent_headers(config.profile.headers, body)
            outgoing = await OutgoingRequest.of(gateway, call, config, body, size, collects=config.can_stream)
            await answer(call, outgoing, own_headers)
        finally:
            add_session_stats(gateway.stats, config.model_id, call.usage)

    return summaries.read_summary(await inner_call(gateway, outer, config, _CLASS, serve))


async def _respond(
    call: Call,
    exchange: Exchange,
    reply: ReplyContext,
    report: Report,
    block: Compaction | None,
    summary: Summary,
    *,
    streams: bool,
) -> None:
    """Send the answer that is nothing but `block`."""
    events = summaries.answer(reply, block, summary)
    if streams:
        await exchange.write(sse.encode_all(events), more=False)
    else:
        await call.respond_json(fold(events, report))
