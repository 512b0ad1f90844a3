"""What a request with `safeguards` gets: its answer passes a judge, unless its upstream is one itself."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.core.auto_mode import judgement
from claude_code_proxy.core.auto_mode.tool_uses import ToolUse
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.report import Notice
from claude_code_proxy.core.request.request_kind import class_of
from claude_code_proxy.server.caller.call import Call
from claude_code_proxy.server.caller.caller_keys import CallerKeys
from claude_code_proxy.server.caller.client_request import ClientRequest
from claude_code_proxy.server.gateway import Gateway
from claude_code_proxy.server.log import logger
from claude_code_proxy.server.offload import offload
from claude_code_proxy.server.routing import Attempt
from claude_code_proxy.server.safeguards.guarded_answer import GuardedAnswer
from claude_code_proxy.server.safeguards.inner_request import Serve, text_of_answer

_MOST_QUOTED = 200


def guarded(
    gateway: Gateway,
    call: Call,
    attempt: Attempt,
    request: ClientRequest,
    keys: CallerKeys,
    body: dict[str, Any],
    serve: Serve,
) -> Attempt:
    """The attempt at a request with `safeguards`, whose upstream does not get them; its answer is judged.

    Anthropic itself judges, where the entry names nobody else: then all stays as it is. `serve` serves the
    request to the judge.
    """
    config = attempt.config
    context = judgement.context_of(body)
    if context is None or (config.is_anthropic and config.safety_model is None):
        return attempt
    if config.format == "openai":
        del body["safeguards"]
    else:
        drops = replace(
            config.native,
            drop_fields=(*config.native.drop_fields, "safeguards"),
            drop_betas=(*config.native.drop_betas, judgement.BETA),
        )
        attempt = attempt._replace(config=replace(config, native=drops))
    if not call.is_guarded:
        call.is_guarded = True
        judge = _Judge(gateway, call, request, keys, context, serve)
        call.tap(lambda send: GuardedAnswer(send, judge.results))
        call.noted += (_notice(config),)
    return attempt


def _notice(config: ModelConfig) -> Notice:
    if config.safety_model == "":
        why = "the entry switches the judging of tool calls off (safety_model: off): the client judges"
        return Notice("safeguards_unsupported", "safeguards", "dropped", why)
    judge = config.safety_model or config.model_id
    why = f"the proxy asks {judge} whether the tool calls of the answer may run (safety_model)"
    return Notice("safeguards_emulated", "safeguards", "emulated", why)


def _heard(asking: asyncio.Task[str | None]) -> None:
    """Take the failure of a request that nobody waits for any more."""
    if not asking.cancelled():
        asking.exception()


class _Judge:
    """Judges the tool calls of one answer. What cannot be judged is blocked, with the reason."""

    def __init__(
        self,
        gateway: Gateway,
        call: Call,
        request: ClientRequest,
        keys: CallerKeys,
        context: dict[str, Any],
        serve: Serve,
    ) -> None:
        self._gateway = gateway
        self._call = call
        self._request = request
        self._keys = keys
        self._context = context
        self._serve = serve

    async def results(self, calls: list[ToolUse]) -> list[Any]:
        """The `safeguard_results` for all `calls` of the answer."""
        served = self._call.served_by
        assert served is not None
        if served.safety_model == "":
            return judgement.unsupported()
        judged = judgement.to_judge(calls, self._context)
        verdicts: dict[str, Any] = {}
        if judged:
            # It is not the client that is slow, and it can still go away.
            ended, self._call.ended, self._call.sending_since = self._call.ended, False, None
            verdicts = await self._verdicts(judged, served)
            self._call.ended = ended
        return judgement.safeguard_results(calls, verdicts)

    async def _verdicts(self, calls: list[ToolUse], served: ModelConfig) -> dict[str, Any]:
        name = served.safety_model or served.model_id
        asking = asyncio.create_task(self._ask(calls, name, served))
        asking.add_done_callback(_heard)
        seconds = self._gateway.settings.safety_timeout
        try:
            await asyncio.wait({asking}, timeout=seconds)
            if not asking.done():
                return self._blocked(calls, name, f"did not answer within {seconds:g} s")
            text = asking.result()
        except ApiError as error:
            return self._blocked(calls, name, f"cannot be asked: {self._call.redacted(error).message}")
        finally:
            asking.cancel()
        if text is None:
            return self._blocked(calls, name, "was not asked: the calls, or the conversation, are too long")
        verdicts = judgement.read_verdicts(text, calls, self._context)
        if verdicts is None:
            quoted = " ".join(text.split())[:_MOST_QUOTED] or "nothing"
            return self._blocked(calls, name, f'gave no verdict that can be read: "{quoted}"')
        return verdicts

    async def _ask(self, calls: list[ToolUse], name: str, served: ModelConfig) -> str | None:
        """What the judge says; None where there is too much to judge. Raises `ApiError`."""
        config = self._gateway.upstreams.resolve(name)
        if not self._keys.may_follow(config, served):
            raise ApiError(401, "authentication_error", "the request has no key for its address")
        body = await self._request.take()
        author = "parent" if class_of(self._call.headers) == "subagent" else "user"
        asked = await offload(
            self._request.size, judgement.judge_request, body, self._context, calls, name, author=author
        )
        if asked is None:
            return None
        return await text_of_answer(self._gateway, self._call, config, asked, self._serve)

    def _blocked(self, calls: list[ToolUse], name: str, why: str) -> dict[str, Any]:
        reason = f"Blocked, because nobody could judge this call: the safety model {name} {why}"
        logger.warning("%s: %s", self._call.request_id, reason)
        return judgement.blocked(calls, reason)
