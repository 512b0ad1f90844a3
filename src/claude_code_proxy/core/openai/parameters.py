"""The parameters that OpenAI's two formats share: the encoders only differ in how they write them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from claude_code_proxy.core.conversation import Conversation, PreparedTools, ThinkingSettings, WebSearch
from claude_code_proxy.core.openai.effort import thinks
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Report
from claude_code_proxy.core.request.fields import json_text
from claude_code_proxy.core.schemas.convert import answer_schema
from claude_code_proxy.core.schemas.strict import is_strict

CONTINUE = "Continue exactly from the end of your previous message, without repeating it."
"""What a user says after a last message of the assistant where the upstream cannot just write on."""


def thinking_now(
    conversation: Conversation, profile: Profile, report: Report
) -> tuple[ThinkingSettings, bool]:
    """The thinking settings to send, and whether the model will think by them."""
    settings = conversation.thinking
    if not thinks(settings, profile):
        return settings, False
    if profile.thinking_stream_only and not conversation.stream:
        report.changed(
            "thinking_needs_stream", "stream", "the provider supports thinking in streams only: turned off"
        )
        return replace(settings, on=False), False
    return settings, True


def output_limit(conversation: Conversation, profile: Profile, report: Report, *, thinking: bool) -> int:
    """The output limit to send, in tokens, which counts reasoning too.

    Where the model reasons although the client did not ask for it, a limit that was set for the text alone
    would end inside the reasoning, so that no text comes: it gets room on top.
    """
    limit, room = conversation.max_tokens, profile.thinking_room
    if not thinking or conversation.thinking.client_on or not 0 < limit < room:
        return limit
    raised = limit + room if profile.max_output is None else min(limit + room, profile.max_output)
    report.changed("max_tokens_room", "max_tokens", f"the model always thinks: {raised} tokens in all")
    return raised


class Offer(Struct, frozen=True):
    """The tools to send and how free the model is.

    `search` is the provider's own web search. `choice` None sends none, "named" means the tool `name`.
    `parallel` False asks for one call at a time; None says nothing.
    """

    tools: PreparedTools = PreparedTools()
    search: WebSearch | None = None
    choice: Literal["auto", "none", "required", "named"] | None = None
    name: str = ""
    parallel: bool | None = None


def offer(conversation: Conversation, profile: Profile, report: Report, *, thinking: bool) -> Offer:
    """What the profile lets through of the tools and the tool choice, while the model is `thinking`."""
    tools, choice = conversation.tools, conversation.tool_choice
    if not tools and conversation.web_search is None:
        return Offer()
    support = profile.tool_choice_support
    if thinking and profile.tool_choice_thinking is not None:
        support = profile.tool_choice_thinking
    kind = choice.kind if choice else "auto"
    if kind == "none" and support in ("auto_only", "omit"):
        report.changed(
            "tools_withheld",
            "tool_choice",
            "the provider does not support tool_choice none: no tools are sent",
        )
        return Offer()
    if kind in ("any", "tool") and support not in ("full", "no_named"):
        report.changed(
            "tool_choice_relaxed", "tool_choice", "the provider does not support a forced choice here"
        )
    elif kind == "tool" and support == "no_named":
        report.changed(
            "tool_choice_relaxed", "tool_choice.name", "the provider does not support naming a tool"
        )
    parallel = None
    if not conversation.parallel_tools:
        if profile.parallel_param:
            parallel = False
        else:
            path = "tool_choice.disable_parallel_tool_use"
            report.dropped("parallel_tool_calls", path, "the provider decides how many tools are called")
    sent = _choice(kind, support) if choice and support != "omit" else None
    return Offer(tools, conversation.web_search, sent, choice.name if choice else "", parallel)


def _choice(kind: str, support: str) -> Literal["auto", "none", "required", "named"]:
    if kind == "none":
        return "none"
    if kind == "auto" or support in ("auto_none", "auto_only"):
        return "auto"
    return "required" if kind == "any" or support == "no_named" else "named"


class AnswerForm(Struct, frozen=True):
    """The form that the answer must have.

    `kind` is the type of `response_format` to send, None for none; `named` is what stands beside it for
    `json_schema`. `instruction` is what stands in for what neither says.
    """

    kind: Literal["json_schema", "json_object"] | None = None
    named: Mapping[str, Any] = MappingProxyType({})
    instruction: str = ""


def answer_form(
    conversation: Conversation, profile: Profile, report: Report, *, has_tools: bool
) -> AnswerForm:
    """The form of the answer, as far as the provider enforces it, and the rest in words."""
    schema = conversation.output_schema
    if schema is None:
        return AnswerForm()
    path = "output_config.format.schema"
    support = profile.structured_output
    if has_tools and not profile.structured_with_tools:
        support = "none"
    if support == "json_schema":
        form = answer_schema(schema, profile.schema_dialect, path, report)
        if form is not None:
            strict = is_strict(form)
            if not strict:
                report.dropped("strict_answer", path, "the provider need not keep to the schema: not strict")
            return AnswerForm("json_schema", {"name": "response", "schema": form, "strict": strict})
        support = "none"
    report.emulated("structured_output", "output_config.format", "the schema goes into the instructions")
    text = json_text(schema, path)
    noun = "object" if schema.get("type", "object") == "object" else "value"
    instruction = f"Answer with one JSON {noun} only, no other text, that matches this JSON Schema:\n{text}"
    return AnswerForm("json_object" if support == "json_object" else None, instruction=instruction)


def sampling(
    conversation: Conversation, profile: Profile, report: Report, *, thinking: bool
) -> dict[str, Any]:
    """`temperature`, `top_p` and `top_k` as far as the provider takes them."""
    fields: dict[str, Any] = {}
    temperature, top_k = conversation.temperature, conversation.top_k
    if temperature is None:
        temperature = profile.temperature
    if temperature is not None:
        fields["temperature"] = _clamped(temperature, profile, report)
    if conversation.top_p is not None and conversation.top_p != 1:
        fields["top_p"] = conversation.top_p
    if thinking and not profile.sampling_with_thinking:
        for name in fields:
            report.dropped(
                "sampling_dropped", name, "the provider does not accept it while the model reasons"
            )
        fields.clear()
    if top_k is not None:
        if "top_k" in profile.accept_params:
            fields["top_k"] = top_k
        else:
            report.dropped("top_k", "top_k", "the provider has no such parameter")
    return fields


def _clamped(temperature: float, profile: Profile, report: Report) -> float:
    if profile.temperature_range is None:
        return temperature
    low, high = profile.temperature_range
    clamped = min(max(temperature, low), high)
    if clamped != temperature:
        report.changed("temperature_clamped", "temperature", f"the provider takes {low} to {high}")
    return clamped


def common(conversation: Conversation, profile: Profile, report: Report) -> dict[str, Any]:
    """The fields that both formats have under the same names."""
    fields = _identity(conversation, profile, report)
    if conversation.service_tier:
        fields["service_tier"] = conversation.service_tier
    fields |= conversation.extra
    if conversation.stream is not None:
        fields["stream"] = conversation.stream
    return fields


def _identity(conversation: Conversation, profile: Profile, report: Report) -> dict[str, Any]:
    """Who asks, hashed: providers use it for abuse limits and to find the prompt cache."""
    fields: dict[str, Any] = {}
    if conversation.user_id:
        if profile.send_user == "none":
            report.dropped("metadata", "metadata.user_id", "the profile does not send it", quiet=True)
        else:
            report.changed("metadata", "metadata.user_id", "sent as a hash", quiet=True)
            fields[profile.send_user] = _hash(conversation.user_id)
    if profile.prompt_cache_key and conversation.session_id:
        fields["prompt_cache_key"] = _hash(conversation.session_id)
    return fields


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def finish_body(body: dict[str, Any], profile: Profile, report: Report) -> dict[str, Any]:
    """`body` without what the provider refuses, and with what the profile adds over everything else."""
    for param in profile.drop_params:
        if body.pop(param, None) is not None:
            report.dropped("param_dropped", param, "the provider refuses this parameter")
    body |= profile.extra_body
    return body


def upstream_stops(conversation: Conversation, profile: Profile) -> tuple[str, ...]:
    """The stop sequences the upstream is given; the Responses API has no field for them."""
    if profile.api == "responses" or profile.stop_mode == "local" or "stop" in profile.drop_params:
        return ()
    return conversation.stop_sequences[: profile.stop_max]


def local_stops(conversation: Conversation, profile: Profile, report: Report) -> tuple[str, ...]:
    """The stop sequences the proxy must find by itself: all of them as soon as one is not sent."""
    stops = conversation.stop_sequences
    if not stops or len(upstream_stops(conversation, profile)) == len(stops):
        return ()
    report.emulated(
        "stop_sequences_local",
        "stop_sequences",
        "the proxy looks for the stop sequences that the provider does not support",
        quiet=profile.stop_mode == "local",
    )
    return stops
