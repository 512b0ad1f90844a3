"""The request side of the conversion as one function: what the server calls."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from claude_code_proxy.core import wire
from claude_code_proxy.core.answer_context import ReplyContext
from claude_code_proxy.core.context_management.apply import apply_edits
from claude_code_proxy.core.context_management.edits import read_edits
from claude_code_proxy.core.conversation import PreparedTools, Tool
from claude_code_proxy.core.errors.context import ErrorContext
from claude_code_proxy.core.openai.chat import encode as chat
from claude_code_proxy.core.openai.parameters import local_stops
from claude_code_proxy.core.openai.responses import encode as responses
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Report
from claude_code_proxy.core.request.fields import required_text
from claude_code_proxy.core.request.media import PdfText
from claude_code_proxy.core.request.read import parse
from claude_code_proxy.core.request.tool_cache import ToolCache
from claude_code_proxy.core.tokens.estimate import TextCounts, measure
from claude_code_proxy.core.tokens.text_features import default_tokens

_ENCODERS = {"chat": chat.encode, "responses": responses.encode}
_TOOL_ENCODERS = {"chat": chat.encode_tool, "responses": responses.encode_tool}


class ConvertedRequest(Struct, kw_only=True):
    """A converted request.

    `body` is what goes upstream, `tools` are those in it that the client runs, `reply` what the answer must
    know, `report` what was not carried over. `max_tokens` 0 asks to warm the cache only: the caller answers
    by itself and sends nothing. `counts` are those of the prompt (`core.tokens`), where they had to be known,
    `original_counts` those before its context was edited.
    """

    body: dict[str, Any]
    tools: PreparedTools
    reply: ReplyContext
    report: Report
    stream: bool
    max_tokens: int
    counts: int | None = None
    original_counts: int | None = None

    @property
    def payload(self) -> bytes:
        """The bytes of `body`."""
        if self.body.get("tools") != [*self.tools.encoded]:
            return wire.dumps(self.body)
        return wire.dumps({**self.body, "tools": wire.written(self.tools.written)})


def limit_field(profile: Profile) -> str:
    """The name of the output limit in the body that goes upstream; "omit" where none is sent."""
    if profile.api == "responses" and profile.max_tokens_field != "omit":
        return "max_output_tokens"
    return profile.max_tokens_field


def convert_request(
    request: Any,
    *,
    profile: Profile,
    model: str,
    message_id: str,
    session_id: str = "",
    tool_cache: ToolCache | None = None,
    pdf_text: Callable[[str], PdfText] | None = None,
    text_counts: TextCounts | None = None,
) -> ConvertedRequest:
    """Convert the JSON value of a Messages request for the upstream model `model`.

    `message_id` is the answer's id; `session_id` is used where the request's metadata has none; `tool_cache`
    is the one that the request was read with, and saves time only; `pdf_text` is what
    `core.request.media.Media` takes, `text_counts` what `core.tokens.estimate.measure` does, where an edit
    of the context needs a count. `reply.input_tokens` is 0: counting is the caller's.
    Raises `ApiError` 400 for a request that cannot be served, and for nothing else.
    """

    def convert(request: Any) -> ConvertedRequest:
        return _convert(request, profile, model, message_id, session_id, tool_cache, pdf_text)

    edits = read_edits(request)
    if edits is None:
        return convert(request)

    def tokens(converted: ConvertedRequest) -> int:
        if converted.counts is None:
            converted.counts = measure(converted.body, text_counts, converted.tools)
        return math.ceil(default_tokens(converted.counts))

    original = convert(request)
    told = Report()
    converted, applied = apply_edits(
        request,
        edits,
        original,
        convert=convert,
        tokens=tokens,
        clears=profile.context_editing,
        report=told,
    )
    converted.reply.applied_edits, converted.original_counts = applied, original.counts
    # what a tool refused is known although its words may be cleared
    converted.reply.left_out_arguments = original.reply.left_out_arguments
    converted.report.notices += told.notices
    return converted


def _convert(
    request: Any,
    profile: Profile,
    model: str,
    message_id: str,
    session_id: str,
    tool_cache: ToolCache | None,
    pdf_text: Callable[[str], PdfText] | None,
) -> ConvertedRequest:
    report = Report()
    conversation = parse(
        request,
        profile,
        report,
        prepare=lambda tools: _prepare(tools, profile),
        cache=tool_cache,
        pdf_text=pdf_text,
    )
    client_model = required_text(request, "model", "request")
    if session_id and not conversation.session_id:
        conversation.session_id = session_id
    body = _ENCODERS[profile.api](conversation, profile, model=model, report=report)
    thinking = conversation.thinking
    reply = ReplyContext(
        model=client_model,
        message_id=message_id,
        tool_names=conversation.tool_names,
        used_tool_ids=conversation.used_tool_ids,
        stop_sequences=conversation.stop_sequences,
        local_stop_sequences=local_stops(conversation, profile, report),
        show_thinking=(
            thinking.client_on or profile.always_emit_thinking or profile.require_reasoning_on_tool_calls
        ),
        hide_thinking_text=thinking.hide_text,
        max_tokens=conversation.max_tokens if profile.max_tokens_field != "omit" else 0,
        errors=ErrorContext(profile=profile, model=client_model),
        web_search=conversation.web_search.name if conversation.web_search else "",
        left_out_arguments=conversation.left_out_arguments,
        tool_parameters=(
            {tool.name: tool.parameters for tool in conversation.tools.tools}
            if profile.text_tool_calls
            else {}
        ),
    )
    return ConvertedRequest(
        body=body,
        tools=conversation.tools,
        reply=reply,
        report=report,
        stream=conversation.stream is True,
        max_tokens=conversation.max_tokens,
    )


def _prepare(tools: tuple[Tool, ...], profile: Profile) -> PreparedTools:
    encoded = tuple(map(_TOOL_ENCODERS[profile.api], tools))
    written = bytes(memoryview(wire.dumps(encoded)))  # orjson's own has room to spare
    return PreparedTools(tools, encoded, written)
