"""Messages for an upstream that speaks Chat Completions or Responses: converted both ways."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.core import sse, wire
from claude_code_proxy.core.answer import events as anthropic
from claude_code_proxy.core.convert_answer import (
    SendAgain,
    StreamConverter,
    StreamFold,
    message_from_answer,
)
from claude_code_proxy.core.deltas import Usage, WebFetch, WebSearch
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.errors.corrections import MAX_CORRECTIONS
from claude_code_proxy.core.errors.upstream import read_error
from claude_code_proxy.core.providers.turn_headers import sent_headers
from claude_code_proxy.core.repeats import RepeatingConverter
from claude_code_proxy.server.caller.body import ClientGoneError
from claude_code_proxy.server.caller.call import Call
from claude_code_proxy.server.convert.outgoing import OutgoingRequest
from claude_code_proxy.server.gateway import Gateway
from claude_code_proxy.server.hooks.hooked_stream import HookedStream
from claude_code_proxy.server.offload import offload
from claude_code_proxy.server.upstream import forwarded_headers
from claude_code_proxy.server.upstream.exchange import RETRIED, Exchange, Translator
from claude_code_proxy.server.upstream.limits import Limits
from claude_code_proxy.server.upstream.upstreams import UpstreamClient
from claude_code_proxy.transports.protocol import Response

_SENT_BY_THEN = 0.001  # seconds in which a request has been written to the upstream's connection


async def serve_converted(
    gateway: Gateway,
    call: Call,
    config: ModelConfig,
    request: dict[str, Any],
    size: int,
    looked_up: tuple[WebSearch | WebFetch, ...] = (),
) -> None:
    """Answer `POST /v1/messages`; `size` is the request's length in bytes. Raises `ApiError`.

    `looked_up` was found for the model already, and stands before its answer.
    """
    own_headers = sent_headers(config.profile.headers, request)
    outgoing = await OutgoingRequest.of(gateway, call, config, request, size)
    outgoing.looked_up = looked_up
    await answer(call, outgoing, own_headers)


async def answer(call: Call, outgoing: OutgoingRequest, own_headers: Mapping[str, str]) -> None:
    """Answer a request that is converted already. Raises `ApiError`."""
    gateway, config = outgoing.gateway, outgoing.config
    streamed = outgoing.converted.stream
    call.reports(outgoing.report)
    if call.capture is not None:
        call.capture.models[-1] = config, outgoing.profile
    if outgoing.converted.max_tokens == 0:
        await _answer_empty(call, outgoing)
        return
    limits = gateway.limits.of(config)
    whole = not outgoing.profile.streams_only and not (streamed and config.can_stream)
    client = gateway.upstreams.create_openai_client(config, call.key, stream=not whole)
    if own_headers:
        forwarded_headers.put_headers(client.headers, own_headers)
    if streamed:
        await _stream(call, outgoing, client, limits)
    else:
        message = await whole_answer(call, outgoing, client, limits)
        if gateway.hooks is not None:
            message = gateway.hooks.response(message, outgoing.report)
        await call.respond_json(message)
    outgoing.learn(call.usage)


async def whole_answer(
    call: Call, outgoing: OutgoingRequest, client: UpstreamClient, limits: Limits
) -> dict[str, Any]:
    """The upstream's answer as one message; `call.usage` is set. Raises `ApiError` and `ClientGoneError`."""
    message = None
    async with Exchange(call, limits) as exchange:
        await _ask(exchange, outgoing, client)
        data = await exchange.read_all()
        try:
            message, call.usage = await offload(len(data), _read_answer, data, outgoing)
        except SendAgain as again:
            outgoing.reply.may_repeat = False
            await _ask_again(exchange, outgoing, client, again)
            data = await exchange.read_all()
            message, call.usage = await offload(len(data), _read_answer, data, outgoing)
    if message is None:  # nobody waits for it any more
        raise ClientGoneError
    return message


async def _stream(call: Call, outgoing: OutgoingRequest, client: UpstreamClient, limits: Limits) -> None:
    hooks = outgoing.gateway.hooks
    converter: RepeatingConverter | None = None

    def translator() -> Translator:
        nonlocal converter
        reply, report = outgoing.reply, outgoing.report
        converter = RepeatingConverter(StreamConverter(outgoing.profile, reply, report, call.request_id))
        if hooks is None or not hooks.sees_answers:
            return converter
        return HookedStream(converter, hooks, report)

    # our own count is due with the first event: make it while the upstream thinks, not when it answers
    counting = asyncio.get_running_loop().call_later(_SENT_BY_THEN, outgoing.count)
    try:
        async with Exchange(call, limits, translator) as exchange:
            if outgoing.begun:
                await exchange.write(exchange.translator.begin())
            await _ask(exchange, outgoing, client)
            relay = exchange.relay if outgoing.config.can_stream else exchange.replay
            await relay()
            if converter is not None and (again := converter.again) is not None:
                await _ask_again(exchange, outgoing, client, again)
                converter.restart()
                await relay()
    finally:
        counting.cancel()


async def _ask(exchange: Exchange, outgoing: OutgoingRequest, client: UpstreamClient) -> None:
    """Send the request, and again where the upstream says what it cannot take, without that.

    What often passes at once (a crashed local model, a malformed tool call) is sent once more as it is.
    """
    repeated = False
    for tries_left in range(MAX_CORRECTIONS, -1, -1):
        response = await exchange.open(client, outgoing.payload)
        if response.status < 300:
            break
        answer = await exchange.read_all()
        if tries_left and await outgoing.correct(response.status, answer):
            continue
        error = _refusal(response, answer, outgoing)
        if repeated or not tries_left or not error.retryable or response.status in RETRIED:
            raise error
        repeated = True
    outgoing.accepted()
    outgoing.reply.may_repeat = not repeated


async def _ask_again(
    exchange: Exchange, outgoing: OutgoingRequest, client: UpstreamClient, again: SendAgain
) -> None:
    """Send a request once more whose response came to nothing, with a higher output limit if that was why."""
    body = exchange.request
    response = await exchange.open(client, outgoing.with_room(body) if again.more_room else body)
    if response.status >= 300:
        raise _refusal(response, await exchange.read_all(), outgoing)


def _refusal(response: Response, answer: bytes, outgoing: OutgoingRequest) -> ApiError:
    config = outgoing.config
    headers = {name.lower(): value for name, value in response.headers.items()}
    error = read_error(response.status, headers, answer, outgoing.reply.errors, now=time.time())
    if error.status == 404:
        near = [
            name for name in outgoing.gateway.models.table.near(config.model_id) if name != config.model_id
        ]
        error.message += f"; near names in models.yaml: {', '.join(near)}" if near else ""
    return error


def _read_answer(data: bytes, outgoing: OutgoingRequest) -> tuple[dict[str, Any], Usage | None]:
    """A whole answer; also when the upstream streams although it was not asked to. Raises `ApiError`."""
    profile, reply, report = outgoing.profile, outgoing.reply, outgoing.report
    try:
        return message_from_answer(wire.loads_bounded(data), profile, reply, report)
    except wire.WireError:
        pass
    fold = StreamFold(profile, reply, report)
    fold.feed(data)
    return fold.close()


async def _answer_empty(call: Call, outgoing: OutgoingRequest) -> None:
    """`max_tokens: 0` only warms the upstream's cache, which nothing here has to do: an empty answer."""
    reply = outgoing.reply
    usage = anthropic.usage(reply.input_tokens, 0)
    message = anthropic.message(reply)
    end = {"stop_reason": "max_tokens", "stop_sequence": None}
    if not outgoing.converted.stream:
        await call.respond_json({**message, **end, "usage": usage})
        return
    events = (
        anthropic.message_start({**message, "usage": usage}),
        anthropic.message_delta("max_tokens", None, usage, applied_edits=reply.applied_edits),
        anthropic.MESSAGE_STOP,
    )
    await call.start(200, forwarded_headers.STREAM)
    await call.write(b"".join(map(sse.encode, events)), more=False)
