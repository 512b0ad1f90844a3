"""What would become of a request, without asking anyone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from msgspec import structs

from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.core import wire
from claude_code_proxy.core.compaction.summary import explained
from claude_code_proxy.core.report import Notice, Report
from claude_code_proxy.core.request.request_kind import Rule, fitting
from claude_code_proxy.core.tokens.estimate import estimate
from claude_code_proxy.server.convert.outgoing import convert
from claude_code_proxy.server.hooks.user_hooks import Hooks
from claude_code_proxy.server.passthrough import native_body

_MESSAGE_ID = "msg_explained"


@dataclass(frozen=True, slots=True)
class Explanation:
    """The request as the upstream at `upstream_url` would get it, and what was not carried over.

    `profile` is the name of the row by which it was made; `input_tokens` our count of the prompt, None for
    an upstream that counts by itself; `rule` is the kind of the rule that chose the model, "" for none.
    """

    model: str
    upstream_url: str
    format: str
    profile: str
    upstream_request: dict[str, Any]
    input_tokens: int | None
    notices: list[Notice]
    rule: str = ""

    def document(self) -> dict[str, Any]:
        """The explanation as a JSON object."""
        return {**asdict(self), "notices": [structs.asdict(notice) for notice in self.notices]}


def rule_for(config: ModelConfig, request_class: str, request: dict[str, Any]) -> Rule | None:
    """The rule of `config` that a request fits, by our count of its prompt. Raises `ApiError`."""

    def length() -> int:
        copy = wire.loads(wire.dumps(request))
        return estimate(convert(copy, config, config.profile, _MESSAGE_ID).body)

    return next(fitting(config.routes, request_class, request, cache(length)), None)


async def explain(
    config: ModelConfig, request: dict[str, Any], hooks: Hooks | None = None, rule: Rule | None = None
) -> Explanation:
    """Convert `request`, which may be changed, for the model of `config` and let `hooks` have it.

    Raises `ApiError`.
    """
    if config.format == "anthropic":
        url, profile, report = config.messages_url, config.native.name, Report()
        payload = native_body.edit(wire.dumps(request), request, config, report)
        body = wire.loads(payload)
    else:
        if config.profile.compaction:
            request = explained(request)
        converted = convert(request, config, config.profile, _MESSAGE_ID)
        url, profile, report = config.chat_url, config.profile.name, converted.report
        body, payload = converted.body, wire.dumps(converted.body)
    if hooks is not None:
        body, payload = await hooks.request(body, payload, report)
    return Explanation(
        model=config.model_id,
        upstream_url=url.partition("?")[0],
        format=config.format,
        profile=profile,
        upstream_request=body,
        input_tokens=None if config.format == "anthropic" else estimate(body),
        notices=report.notices,
        rule="" if rule is None else rule.kind,
    )
