"""Messages for an upstream that speaks the Anthropic format itself: passed through, not translated."""

from __future__ import annotations

from typing import Any

from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.core import wire
from claude_code_proxy.core.errors.api import ERROR_TYPES, ApiError
from claude_code_proxy.core.errors.fault import read_fault
from claude_code_proxy.core.errors.left_out import left_out
from claude_code_proxy.core.header_values import listed
from claude_code_proxy.core.providers.turn_headers import sent_headers
from claude_code_proxy.core.report import Report
from claude_code_proxy.server.caller.call import Call
from claude_code_proxy.server.fallback import is_reason, refusal
from claude_code_proxy.server.gateway import Gateway
from claude_code_proxy.server.hooks.hooked_stream import HookedStream
from claude_code_proxy.server.memory.native_lessons import without
from claude_code_proxy.server.offload import offload
from claude_code_proxy.server.passthrough import native_body
from claude_code_proxy.server.passthrough.native_stream import NativeStream, counts, usage_of
from claude_code_proxy.server.routing import Attempt
from claude_code_proxy.server.upstream import forwarded_headers
from claude_code_proxy.server.upstream.exchange import Exchange, Translator
from claude_code_proxy.server.upstream.upstreams import UpstreamClient
from claude_code_proxy.transports.protocol import Response

_MAX_QUOTED = 500
_MOST_LEFT_OUT = 6
"""Requests that are sent again without what was refused; hosts often name one thing at a time."""


async def serve_native(
    gateway: Gateway, call: Call, attempt: Attempt, raw: bytes, request: dict[str, Any]
) -> None:
    """Serve a Messages request with what the upstream sends; `request` is `raw` parsed.

    Raises `ApiError` when nothing comes, or a refusal that another model may serve instead.
    """
    config = gateway.native_lessons.of(attempt.config)
    model = request["model"]
    renamed = model if config.restore_model_name and config.model_name != model else None
    streamed = request.get("stream") is True
    url = (streamed and config.stream_url) or config.messages_url
    client, body = await prepare(gateway, call, config, url, raw, request)
    stream: Translator = NativeStream(renamed, call.request_id)
    if gateway.hooks is not None and gateway.hooks.sees_answers and call.report is not None:
        stream = HookedStream(stream, gateway.hooks, call.report)
    limits = gateway.limits.of(config)
    async with Exchange(call, limits, (lambda: stream) if streamed else None) as exchange:
        response, data = await _ask(gateway, call, exchange, client, body, raw, attempt.config)
        if streamed and response.status == 200 and response.content_type == "text/event-stream":
            exchange.stream_headers = forwarded_headers.native_response(response.headers)
            await exchange.relay()
            return
        if data is None:
            data = await exchange.read_all()
        check_refusal(call, config, response, data, movable=not attempt.is_last and not call.started)
        if call.started:  # the hold limit has passed: an error can only be told inside the stream now
            raise _told_by(response.status, data)
        data = _hooked(gateway, call, response, data)
        await pass_whole(call, response, data, renamed)


async def _ask(
    gateway: Gateway,
    call: Call,
    exchange: Exchange,
    client: UpstreamClient,
    body: bytes,
    raw: bytes,
    entry: ModelConfig,
) -> tuple[Response, bytes | None]:
    """The response, and its body where that was read; `body` is made of `raw`.

    Another host of Claude is asked again without what it refuses, and that is remembered for the `entry`.
    """
    asked = client.config
    for left in range(_MOST_LEFT_OUT, -1, -1):
        response = await exchange.open(client, body)
        config = client.config
        if response.status != 400 or not left or not config.native.other_host:
            break
        data = await exchange.read_all()
        request = wire.loads(raw)
        found = left_out(read_fault(data).message, request, listed(call.headers.get("anthropic-beta", "")))
        if found is None or (taught := without(config, found)) == config:
            return response, data
        url = (request.get("stream") is True and config.stream_url) or config.messages_url
        client, body = await prepare(gateway, call, taught, url, raw, request)
    if response.status == 200 and client.config is not asked:
        gateway.native_lessons.add(entry, client.config.native)
    return response, None


def check_refusal(
    call: Call, config: ModelConfig, response: Response, data: bytes, *, movable: bool = False
) -> None:
    """Raise the upstream's refusal as an `ApiError` where it cannot go to the client as it is.

    That is where another model may serve instead (`movable`), or where its shape is not Anthropic's.
    """
    if response.status < 400:
        return
    foreign = config.native.other_host and _error_in(data) is None
    if not (movable or foreign):
        return
    error = refusal(response.status, response.headers, data, config, call)
    if foreign or is_reason(error):
        raise error


async def prepare(
    gateway: Gateway, call: Call, config: ModelConfig, url: str, raw: bytes, request: dict[str, Any]
) -> tuple[UpstreamClient, bytes]:
    """The client and the body for one passed-through request; `request` is `raw` parsed."""
    report = Report()
    call.reports(report)
    route = config.native.route
    body = await offload(len(raw), native_body.edit, raw, request, config, report)
    if gateway.hooks is not None and gateway.hooks.sees_requests:
        request, body = await gateway.hooks.request(wire.loads(body), body, report)
    forwarded = forwarded_headers.native_request(call.raw_headers, call.headers, config, call.key, report)
    forwarded_headers.put_headers(forwarded, sent_headers(config.native.headers, request))
    if route is not None:
        betas = forwarded.get("anthropic-beta") or ""
        if route.betas_in_body:
            forwarded.discard("anthropic-beta")
        counted = url == config.count_tokens_url
        body = await offload(
            len(body), native_body.put_on_route, body, request, route, betas, counted=counted
        )
    elif call.query:
        url += ("&" if "?" in url else "?") + call.query
    return gateway.upstreams.create_claude_client(config, call.key, url=url, request_headers=forwarded), body


async def pass_whole(call: Call, response: Response, data: bytes, renamed: str | None) -> None:
    """Hand a whole answer on, with the client's model name put back if `renamed` says so."""
    if response.status == 200:
        call.usage = _usage_in(data)
        if renamed is not None:
            data = native_body.restore_model(data, renamed)
    elif response.status >= 400:
        call.failure = _told_by(response.status, data).message
    answered = forwarded_headers.native_response(response.headers)
    await call.respond(response.status, data, answered)


def _hooked(gateway: Gateway, call: Call, response: Response, data: bytes) -> bytes:
    """A whole answer as the response hook wants it; its own bytes where nothing is changed."""
    hooks = gateway.hooks
    if hooks is None or not hooks.sees_answers or response.status != 200 or call.report is None:
        return data
    try:
        message = wire.loads_bounded(data)
    except wire.WireError:
        return data
    if not isinstance(message, dict) or "type" not in message:
        return data
    result = hooks.response(message, call.report)
    return data if result == wire.loads(data) else wire.dumps(result)


def _usage_in(data: bytes) -> Any:
    try:
        message = wire.loads_bounded(data)
    except wire.WireError:
        return None
    return usage_of(counts(message.get("usage"))) if isinstance(message, dict) else None


def _error_in(data: bytes) -> dict[str, Any] | None:
    """The error of a body in Anthropic's shape."""
    try:
        body = wire.loads_bounded(data)
    except wire.WireError:
        return None
    error = body.get("error") if isinstance(body, dict) else None
    if (
        isinstance(error, dict)
        and isinstance(error.get("message"), str)
        and str(error.get("type")) in ERROR_TYPES
    ):
        return error
    return None


def _told_by(status: int, data: bytes) -> ApiError:
    """The upstream's error in its own words, for a stream that has begun."""
    if (error := _error_in(data)) is not None:
        return ApiError(status, error["type"], error["message"])
    words = data[:_MAX_QUOTED].decode("utf-8", "replace").strip() or "no message"
    return ApiError(status, "api_error", f"the upstream returned {status} where a stream was due: {words}")
