"""One converted request, from the client's body to the upstream's, through corrections and hooks."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.core import wire
from claude_code_proxy.core.answer_context import ReplyContext
from claude_code_proxy.core.conversation import PreparedTools
from claude_code_proxy.core.convert_request import ConvertedRequest, convert_request, limit_field
from claude_code_proxy.core.deltas import Compaction, Usage, WebFetch, WebSearch
from claude_code_proxy.core.errors.corrections import MAX_CORRECTIONS, Correction, apply, corrections
from claude_code_proxy.core.errors.lessons import is_of_the_api
from claude_code_proxy.core.prompt_cache.cache_diagnosis import diagnose
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Report
from claude_code_proxy.core.request.media import PdfText
from claude_code_proxy.core.request.tool_cache import ToolCache
from claude_code_proxy.core.tokens.estimate import TextCounts, measure
from claude_code_proxy.server.caller import ids
from claude_code_proxy.server.caller.call import Call
from claude_code_proxy.server.gateway import Gateway
from claude_code_proxy.server.offload import LARGE, offload


def convert(
    request: dict[str, Any],
    config: ModelConfig,
    profile: Profile,
    message_id: str,
    session_id: str = "",
    tool_cache: ToolCache | None = None,
    pdf_text: Callable[[str], PdfText] | None = None,
    text_counts: TextCounts | None = None,
) -> ConvertedRequest:
    """The request as the upstream of `config` gets it, converted by `profile`. Raises `ApiError` 400."""
    collects = profile.streams_only and request.get("stream") in (None, False)
    converted = convert_request(
        {**request, "stream": True} if collects else request,
        profile=profile,
        model=config.model_name,
        message_id=message_id,
        session_id=session_id,
        tool_cache=tool_cache,
        pdf_text=pdf_text,
        text_counts=text_counts,
    )
    if collects:
        converted.stream = False
    if not converted.stream or config.can_stream:
        return converted
    converted.report.emulated(
        "stream_replayed", "stream", "the upstream cannot stream; its whole response is replayed", quiet=True
    )
    body = {key: value for key, value in converted.body.items() if key != "stream_options"}
    converted.body = {**body, "stream": False}
    return converted


_NO_TOOLS = PreparedTools()
_KEPT = (
    "compaction_emulated",
    "corrected",
    "routed",
    "route_without_key",
    "safeguards_emulated",
    "safeguards_unsupported",
    "tool_call_repeated",
    "web_search_emulated",
    "web_fetch_emulated",
)
"""Notices that are no conversion's, and so are not made again by the next one."""


class OutgoingRequest:
    """One request on its way to the upstream: what is sent, and what its answer needs to know.

    `payload` are the bytes that go out, `body` is what they say. `profile` is the entry's with what was
    learned about its upstream. `report` stays the same object, also when the request is converted again.
    """

    def __init__(
        self,
        gateway: Gateway,
        call: Call,
        config: ModelConfig,
        profile: Profile,
        request: dict[str, Any],
        size: int,
    ) -> None:
        self.config = config
        self.profile = self._learned = profile
        self.gateway = gateway
        self._key = call.key
        self._session_id = call.session_id
        self._request = request
        self._size = size
        self._corrections: list[Correction] = []
        self._counts: int | None = None
        self._reply: ReplyContext | None = None
        self.looked_up: tuple[WebSearch | WebFetch | Compaction, ...] = ()
        self.begun = False
        self.iterations: tuple[dict[str, Any], ...] | None = None
        self._message_id = ids.message_id()
        self._convert()

    @classmethod
    async def of(
        cls,
        gateway: Gateway,
        call: Call,
        config: ModelConfig,
        request: dict[str, Any],
        size: int,
        *,
        collects: bool = False,
    ) -> OutgoingRequest:
        """Convert `request`, which came as `size` bytes. Raises `ApiError` 400, or what a hook refuses.

        `collects`: a whole answer is put together from a stream, which no silence cuts.
        """
        profile = gateway.learned.profile(config, call.key)
        if collects:
            profile = replace(profile, streams_only=True)
        outgoing = await offload(size, cls, gateway, call, config, profile, request, size)
        if gateway.hooks is not None:
            await outgoing.run_hook()
        return outgoing

    async def replace(self, request: dict[str, Any]) -> None:
        """Send `request`, which is short, in the place of the one before. Raises as `of` does."""
        self._request.clear()
        self._request, self._size, self._counts = request, 0, None
        await offload(0, self._convert_again)
        await self.run_hook()

    def _convert(self) -> None:
        self.converted = convert(
            self._request,
            self.config,
            self.profile,
            self._message_id,
            self._session_id,
            self.gateway.tool_cache,
            self.gateway.pdf_texts,
            self.gateway.text_counts,
        )
        if self._counts is None:
            self._counts = self.converted.counts
        self.body = self.converted.body
        self.payload = self.converted.payload
        if self._size >= LARGE:
            self.count()  # here, in the thread
        if isinstance(asked := self._request.get("diagnostics"), dict):
            reply = self.converted.reply
            reply.message_id, told = diagnose(self._request, asked, self._message_id, self.input_tokens)
            reply.fields = {"diagnostics": told}

    async def run_hook(self) -> None:
        """Let the user's request hook have the body. Raises `ApiError` where that fails and shall not."""
        hooks = self.gateway.hooks
        if hooks is not None and hooks.sees_requests:
            self.body, self.payload = await hooks.request(wire.loads(self.payload), self.payload, self.report)

    @property
    def report(self) -> Report:
        """What the conversion did not carry over."""
        return self.converted.report

    # --- what the upstream refuses --------------------------------------------------------------------
    async def correct(self, status: int, answer: bytes) -> bool:
        """Make the change that the upstream's refusal asks for; False where there is none that changes it."""
        for _ in range(MAX_CORRECTIONS):
            correction = corrections(status, answer, self.profile, self.body, input_tokens=self.input_tokens)
            if correction is None:
                return False
            if await self._correct(correction):
                return True
        return False

    async def _correct(self, correction: Correction) -> bool:
        """Make a change and every one before it; False when that leaves the request as it was refused."""
        refused = self.payload
        last = self._corrections[-1] if self._corrections else None
        in_vain = last is not None and last.kind == "convert" and last.reason == correction.reason
        if in_vain:  # the same complaint again: what was converted anew did not help
            self._corrections.pop()
        made = [*self._corrections, correction]
        if correction.lesson or in_vain:
            lessons = {key: value for one in made for key, value in one.lesson.items()}
            self.profile = replace(self._learned, **lessons)
            await offload(self._size, self._convert_again)
            await self.run_hook()
        for one in made:
            self.body = apply(one, self.body)
        self.payload = wire.dumps(self.body)
        if self.payload == refused:
            return False
        self._corrections = made
        self.report.changed("corrected", f"upstream.{correction.field}", correction.reason)
        return True

    def _convert_again(self) -> None:
        report = self.report
        corrected = [notice for notice in report.notices if notice.code in _KEPT]
        self._convert()
        report.notices[:] = [*self.report.notices, *corrected]
        self.converted.report = report

    def accepted(self) -> None:
        """The upstream took the request: what its refusals taught is true, and the request can go.

        Parsed and converted it takes ten times its length, which hundreds of slow streams would hold.
        """
        self._reply = self.reply
        self._request.clear()
        self.body, self.payload = {}, b""
        self.converted.body, self.converted.tools = {}, _NO_TOOLS
        if not self._corrections:
            return
        taught: dict[bool, dict[str, Any]] = {True: {}, False: {}}
        for made in self._corrections:
            if made.learned:
                for name, value in made.lesson.items():
                    taught[is_of_the_api(name, made.reason)][name] = value
        for of_the_api, lesson in taught.items():
            if lesson:
                self.gateway.learned.add(self.config, lesson, self._key, of_the_api=of_the_api)

    def with_room(self, payload: bytes) -> bytes:
        """`payload`, accepted before, with an output limit that leaves room for reasoning."""
        body, field = wire.loads(payload), limit_field(self.profile)
        room = self.profile.thinking_room + self.reply.max_tokens
        self.reply.max_tokens = body[field] = min(room, self.profile.max_output or room)
        return wire.dumps(body)

    # --- what the answer must know --------------------------------------------------------------------
    def count(self) -> int:
        """What decides the prompt's length in tokens, packed (`core.tokens`); counted once."""
        if self._counts is None:
            self._counts = measure(self.converted.body, self.gateway.text_counts, self.converted.tools)
        return self._counts

    @property
    def input_tokens(self) -> int:
        """The prompt's length in tokens as far as we can know it."""
        return math.ceil(self._tokens(self.count()))

    @property
    def original_tokens(self) -> int | None:
        """`input_tokens` before the context was edited; None where the request does not ask for that."""
        if self.converted.reply.applied_edits is None:
            return None
        return math.ceil(self._tokens(self.converted.original_counts or self.count()))

    def _tokens(self, counts: int) -> float:
        return self.gateway.calibration.tokens(self.config.model_id, counts)

    @property
    def max_tokens(self) -> int:
        """The output limit that goes upstream; 0 for none."""
        limit = self.body.get(limit_field(self.profile))
        return limit if isinstance(limit, int) else 0

    @property
    def reply(self) -> ReplyContext:
        """What the answer must know of the request."""
        if self._reply is not None:
            return self._reply
        reply = self.converted.reply
        reply.input_tokens, reply.max_tokens = self.input_tokens, self.max_tokens
        reply.limits, reply.looked_up = self.gateway.answer_limits, self.looked_up
        reply.begun, reply.iterations = self.begun, self.iterations
        # not a method of ours: what we hold would hold us, until the garbage collector came
        reply.count = partial(self.gateway.calibration.tokens, self.config.model_id)
        errors = reply.errors  # made by the conversion, with its profile
        errors.api_base, errors.secret = self.config.api_base, self._key
        errors.input_tokens, errors.max_tokens = reply.input_tokens, reply.max_tokens
        return reply

    def learn(self, usage: Usage | None) -> None:
        """Calibrate the count by what the upstream counted."""
        if usage is None or self._counts is None:
            return
        actual = usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens
        if actual > 0:
            self.gateway.calibration.observe(self.config.model_id, self._counts, actual)
