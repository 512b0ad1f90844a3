"""`POST /v1/messages/test_conversion`: see what a conversion does, with or without asking the model."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from msgspec.structs import asdict

from claude_code_proxy.core.compaction.summary import explained
from claude_code_proxy.core.errors.api import invalid_request
from claude_code_proxy.core.report import Report
from claude_code_proxy.server.caller.call import Call
from claude_code_proxy.server.caller.caller_keys import CallerKeys
from claude_code_proxy.server.convert.outgoing import OutgoingRequest
from claude_code_proxy.server.convert.serve_converted import whole_answer
from claude_code_proxy.server.gateway import Gateway
from claude_code_proxy.server.records.statistics import add_session_stats
from claude_code_proxy.server.routes.messages import read_request
from claude_code_proxy.server.routing import routed


async def test_conversion(gateway: Gateway, call: Call) -> None:
    """Answer the converted request, the notices and, unless `?dry_run=1`, the model's answer.

    A dry run needs no key and calls nobody. Raises `ApiError`.
    """
    dry_run = parse_qs(call.query).get("dry_run", ["0"])[-1] not in ("0", "false", "")
    keys = None if dry_run else CallerKeys(call)
    request, config = await read_request(gateway, call)
    if config.routes:
        config = await routed(gateway, call, keys, request, config)
    if keys is not None:
        await keys.use(config)
    if config.format == "anthropic":
        raise invalid_request(
            f"model: {call.model} is passed through in its own format; nothing is converted"
        )
    sent = await request.take()
    if config.profile.compaction:
        sent = explained(sent)
    if not dry_run:
        sent["stream"] = False
    outgoing = await OutgoingRequest.of(gateway, call, config, sent, request.size)
    report = outgoing.report
    call.reports(report)
    answer: dict[str, Any] = {
        "model": config.model_id,
        "upstream_url": config.chat_url.partition("?")[0],
        "profile": config.profile.name,
        "upstream_request": outgoing.body,
        "input_tokens": outgoing.input_tokens,
    }
    if not dry_run:
        client = gateway.upstreams.create_openai_client(config, call.key, stream=False)
        try:
            answer["message"] = await whole_answer(call, outgoing, client, gateway.limits.of(config))
        finally:
            add_session_stats(gateway.stats, config.model_id, call.usage)
    await call.respond_json({**answer, "notices": _notices(report)})


def _notices(report: Report) -> list[dict[str, Any]]:
    return [asdict(notice) for notice in report.notices]
