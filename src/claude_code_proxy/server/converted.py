"""Messages for an upstream that speaks Chat Completions: converted both ways."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from claude_code_proxy.core import anthropic, sse, tokens, wire
from claude_code_proxy.core.convert import convert_request, limit_field
from claude_code_proxy.core.corrections import MAX_CORRECTIONS, apply, corrections
from claude_code_proxy.core.stream import StreamConverter, StreamFold, message_from_answer
from claude_code_proxy.core.upstream_errors import read_error

from . import headers, ids
from .exchange import Exchange
from .limits import Limits
from .offload import LARGE, offload

if TYPE_CHECKING:
    import aiohttp

    from claude_code_proxy.config.model import ModelConfig
    from claude_code_proxy.core.convert import Converted
    from claude_code_proxy.core.deltas import Usage
    from claude_code_proxy.core.errors import ApiError
    from claude_code_proxy.core.reply import ReplyContext

    from .call import Call
    from .gateway import Gateway
    from .upstream import UpstreamClient


_SENT_BY_THEN = 0.001  # seconds in which a request has been written to the upstream's connection


class Conversion:
    """One converted request: what goes to the upstream, and what its answer needs to know."""

    def __init__(self, gateway: Gateway, config: ModelConfig, converted: Converted, payload: bytes) -> None:
        self.config = config
        self.converted = converted
        self.payload = payload
        self._gateway = gateway
        self._estimate: int | None = None

    @classmethod
    async def of(
        cls, gateway: Gateway, call: Call, config: ModelConfig, request: dict[str, Any], size: int
    ) -> Conversion:
        """Convert `request`, which came as `size` bytes. Raises `ApiError` 400."""
        return await offload(size, cls._convert, gateway, call, config, request, size)

    @classmethod
    def _convert(
        cls, gateway: Gateway, call: Call, config: ModelConfig, request: dict[str, Any], size: int
    ) -> Conversion:
        converted = convert_request(
            request,
            profile=config.profile,
            model=config.model_name,
            message_id=ids.message_id(),
            session_id=call.session_id,
        )
        if converted.stream and not config.can_stream:
            body = {key: value for key, value in converted.body.items() if key != "stream_options"}
            converted = replace(converted, body={**body, "stream": False})
            converted.report.emulated(
                "stream_replayed",
                "stream",
                "the upstream cannot stream; its whole answer is replayed",
                quiet=True,
            )
        conversion = cls(gateway, config, converted, wire.dumps(converted.body))
        if size >= LARGE:
            conversion.count()  # here, in the thread
        return conversion

    def count(self) -> int:
        """The prompt's length in tokens by our own count, uncalibrated; counted once."""
        if self._estimate is None:
            self._estimate = tokens.estimate(self.converted.body, self._gateway.text_counts)
        return self._estimate

    @property
    def input_tokens(self) -> int:
        """The prompt's length in tokens as far as we can know it."""
        return round(self.count() * self._gateway.calibration.factor(self.config.model_id))

    @property
    def reply(self) -> ReplyContext:
        """What the answer must know of the request."""
        return replace(self.converted.reply, input_tokens=self.input_tokens)

    def learn(self, usage: Usage | None) -> None:
        """Calibrate the count by what the upstream counted."""
        if usage is None or self._estimate is None:
            return
        actual = usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens
        if actual > 0:
            self._gateway.calibration.observe(self.config.model_id, self._estimate, actual)


async def serve(
    gateway: Gateway, call: Call, config: ModelConfig, request: dict[str, Any], size: int
) -> None:
    """Answer `POST /v1/messages`; `size` is the request's length in bytes. Raises `ApiError`."""
    conversion = await Conversion.of(gateway, call, config, request, size)
    converted = conversion.converted
    call.report = converted.report
    if converted.max_tokens == 0:
        await _answer_empty(call, conversion)
        return
    limits = Limits.of(config, gateway.settings)
    client = gateway.upstreams.openai_client(config, call.key, stream=converted.stream and config.can_stream)
    if converted.stream:
        await _stream(call, conversion, client, limits)
    else:
        message = await whole_answer(call, conversion, client, limits)
        await call.respond_json(message)
    conversion.learn(call.usage)


async def whole_answer(
    call: Call, conversion: Conversion, client: UpstreamClient, limits: Limits
) -> dict[str, Any]:
    """The upstream's answer as one message; `call.usage` is set. Raises `ApiError`."""
    async with Exchange(call, limits) as exchange:
        await _ask(exchange, call, conversion, client)
        data = await exchange.read_all()
        message, call.usage = await offload(len(data), _read_answer, data, conversion)
    return message


async def _stream(call: Call, conversion: Conversion, client: UpstreamClient, limits: Limits) -> None:
    def translator() -> StreamConverter:
        reply, report = conversion.reply, conversion.converted.report
        return StreamConverter(conversion.config.profile, reply, report, call.request_id)

    # our own count is due with the first event: make it while the upstream thinks, not when it answers
    counting = asyncio.get_running_loop().call_later(_SENT_BY_THEN, conversion.count)
    try:
        async with Exchange(call, limits, translator) as exchange:
            await _ask(exchange, call, conversion, client)
            if conversion.config.can_stream:
                await exchange.relay()
            else:
                await exchange.replay()
    finally:
        counting.cancel()


async def _ask(
    exchange: Exchange, call: Call, conversion: Conversion, client: UpstreamClient
) -> aiohttp.ClientResponse:
    """Send the request; where the upstream says what it cannot take, correct that and send it again."""
    profile, report = conversion.config.profile, conversion.converted.report
    body, payload = conversion.converted.body, conversion.payload
    for tries_left in range(MAX_CORRECTIONS, -1, -1):
        response = await exchange.open(client, payload)
        if response.status < 300:
            break
        answer = await exchange.read_all()
        correction = (
            corrections(response.status, answer, profile, body, input_tokens=conversion.input_tokens)
            if tries_left
            else None
        )
        if correction is None:
            raise _refusal(response, answer, call, conversion, body)
        body = apply(correction, body)
        payload = wire.dumps(body)
        report.changed("corrected", f"upstream.{correction.field}", correction.reason)
    return response


def _refusal(
    response: aiohttp.ClientResponse, answer: bytes, call: Call, conversion: Conversion, body: dict[str, Any]
) -> ApiError:
    config = conversion.config
    return read_error(
        response.status,
        {name.lower(): value for name, value in response.headers.items()},
        answer,
        profile=config.profile,
        model=conversion.converted.reply.model,
        now=time.time(),
        input_tokens=conversion.input_tokens,
        max_tokens=body.get(limit_field(config.profile)) or 0,
        api_base=config.api_base,
        secret=call.key,
    )


def _read_answer(data: bytes, conversion: Conversion) -> tuple[dict[str, Any], Usage | None]:
    """A whole answer; also when the upstream streams although it was not asked to. Raises `ApiError`."""
    profile, reply, report = conversion.config.profile, conversion.reply, conversion.converted.report
    try:
        return message_from_answer(wire.loads(data), profile, reply, report)
    except wire.WireError:
        pass
    fold = StreamFold(profile, reply, report)
    fold.feed(data)
    return fold.close()


async def _answer_empty(call: Call, conversion: Conversion) -> None:
    """`max_tokens: 0` only warms the upstream's cache, which nothing here has to do: an empty answer."""
    reply = conversion.reply
    usage = anthropic.usage(reply.input_tokens, 0)
    message = anthropic.message(reply.message_id, reply.model)
    end = {"stop_reason": "max_tokens", "stop_sequence": None}
    if not conversion.converted.stream:
        await call.respond_json({**message, **end, "usage": usage})
        return
    events = (
        anthropic.message_start({**message, "usage": usage}),
        anthropic.message_delta("max_tokens", None, usage),
        anthropic.MESSAGE_STOP,
    )
    await call.start(200, headers.STREAM)
    await call.write(b"".join(map(sse.encode, events)), more=False)
