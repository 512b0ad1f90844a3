"""A `Conversation` becomes the body of a Chat Completions request."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from claude_code_proxy.core.chat.messages import write_messages
from claude_code_proxy.core.chat.thinking import thinking_fields
from claude_code_proxy.core.errors import invalid_request
from claude_code_proxy.core.fields import json_text
from claude_code_proxy.core.schema import is_strict
from claude_code_proxy.core.thinking import thinks
from claude_code_proxy.core.turns import AssistantTurn, Text

if TYPE_CHECKING:
    from claude_code_proxy.core.profile import Profile
    from claude_code_proxy.core.report import Report
    from claude_code_proxy.core.turns import Conversation, Tool

CONTINUE = "Continue exactly from the end of your previous message, without repeating it."
_PREFILL_FIELDS = {"native_prefix": "prefix", "native_partial": "partial"}


def encode(conversation: Conversation, profile: Profile, *, model: str, report: Report) -> dict[str, Any]:
    """The body for the upstream model `model`, its keys in a fixed order.

    Raises `ApiError` 400 where the profile refuses a last message of the assistant.
    """
    thinking = conversation.thinking
    thinking_now = thinks(thinking, profile)
    if thinking_now and profile.thinking_stream_only and not conversation.stream:
        report.changed("thinking_needs_stream", "stream", "the provider thinks in streams only: turned off")
        thinking, thinking_now = replace(thinking, on=False), False
    tools, choice = _tools_and_choice(conversation, profile, report, thinking=thinking_now)
    response_format, instruction = _structured_output(conversation, profile, report, has_tools=bool(tools))
    system = (*conversation.system, Text(instruction)) if instruction else conversation.system
    messages = write_messages(conversation, system, profile, report)
    _continue_prefill(conversation, messages, profile, report)
    body: dict[str, Any] = {"model": model, "messages": messages}
    if profile.max_tokens_field != "omit":
        body[profile.max_tokens_field] = conversation.max_tokens
    body |= _sampling(conversation, profile, report, thinking=thinking_now)
    if sent := upstream_stops(conversation, profile):
        body["stop"] = list(sent)
    if tools:
        body["tools"] = [_tool(tool) for tool in tools]
    body |= choice
    body |= thinking_fields(thinking, profile, conversation.max_tokens, report)
    body |= response_format
    body |= _identity(conversation, profile, report)
    if conversation.service_tier:
        body["service_tier"] = conversation.service_tier
    body |= conversation.extra
    if conversation.stream is not None:
        body["stream"] = conversation.stream
    if conversation.stream and profile.stream_usage:
        body["stream_options"] = {"include_usage": True}
    for param in profile.drop_params:
        if body.pop(param, None) is not None:
            report.dropped("param_dropped", param, "the provider refuses this parameter")
    body |= profile.extra_body
    return body


def upstream_stops(conversation: Conversation, profile: Profile) -> tuple[str, ...]:
    """The stop sequences the upstream is given."""
    if profile.stop_mode == "local" or "stop" in profile.drop_params:
        return ()
    return conversation.stop_sequences[: profile.stop_max]


def local_stops(conversation: Conversation, profile: Profile, report: Report) -> tuple[str, ...]:
    """The stop sequences the proxy must find by itself: all of them as soon as one is not sent."""
    stops = conversation.stop_sequences
    if len(upstream_stops(conversation, profile)) == len(stops):
        return ()
    report.emulated(
        "stop_sequences_local",
        "stop_sequences",
        "the proxy finds the stop sequences that the provider does not take",
        quiet=profile.stop_mode == "local",
    )
    return stops


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = tool.parameters
    if tool.strict:
        function["strict"] = True
    return {"type": "function", "function": function}


def _tools_and_choice(
    conversation: Conversation, profile: Profile, report: Report, *, thinking: bool
) -> tuple[tuple[Tool, ...], dict[str, Any]]:
    tools, choice = conversation.tools, conversation.tool_choice
    fields: dict[str, Any] = {}
    if not tools:
        return (), fields
    support = profile.tool_choice_support
    if thinking and profile.tool_choice_thinking is not None:
        support = profile.tool_choice_thinking
    kind = choice.kind if choice else "auto"
    if kind == "none" and support in ("auto_only", "omit"):
        report.changed("tools_withheld", "tool_choice", "the provider cannot be told none: no tools are sent")
        return (), fields
    if choice and support != "omit":
        sent = _choice(choice.kind, choice.name, support)
        fields["tool_choice"] = sent
    if kind in ("any", "tool") and support not in ("full", "no_named"):
        report.changed("tool_choice_relaxed", "tool_choice", "the provider takes no forced choice here")
    elif kind == "tool" and support == "no_named":
        report.changed("tool_choice_relaxed", "tool_choice.name", "the provider cannot be told which tool")
    if not conversation.parallel_tools:
        if profile.parallel_param:
            fields["parallel_tool_calls"] = False
        else:
            path = "tool_choice.disable_parallel_tool_use"
            report.dropped("parallel_tool_calls", path, "the provider decides how many tools are called")
    return tools, fields


def _choice(kind: str, name: str, support: str) -> str | dict[str, Any]:
    if kind == "none":
        return "none"
    if kind == "auto" or support in ("auto_none", "auto_only"):
        return "auto"
    if kind == "any" or support == "no_named":
        return "required"
    return {"type": "function", "function": {"name": name}}


def _structured_output(
    conversation: Conversation, profile: Profile, report: Report, *, has_tools: bool
) -> tuple[dict[str, Any], str]:
    """The `response_format` field, and the instruction that stands in for what it cannot say."""
    schema = conversation.output_schema
    if schema is None:
        return {}, ""
    support = profile.structured_output
    if has_tools and not profile.structured_with_tools:
        support = "none"
    if support == "json_schema":
        form = {"name": "response", "schema": schema, "strict": is_strict(schema)}
        return {"response_format": {"type": "json_schema", "json_schema": form}}, ""
    report.emulated("structured_output", "output_config.format", "the schema goes into the instructions")
    text = json_text(schema, "output_config.format.schema")
    instruction = f"Answer with one JSON object only, no other text, that matches this JSON Schema:\n{text}"
    return {"response_format": {"type": "json_object"}} if support == "json_object" else {}, instruction


def _continue_prefill(
    conversation: Conversation, messages: list[dict[str, Any]], profile: Profile, report: Report
) -> None:
    """Deal with a last message of the assistant, which asks the model to write on from there."""
    if not isinstance(conversation.turns[-1], AssistantTurn):
        return
    last = messages[-1]
    # A last turn of the assistant has text: its calls would have been answered, its bare thinking dropped.
    holder, key = (last["content"][-1], "text") if isinstance(last["content"], list) else (last, "content")
    holder[key] = holder[key].rstrip()
    if not holder[key] and len(messages) > 1:
        report.dropped("blank_prefill", "messages", "a last message of whitespace asks for nothing")
        messages.pop()
        return
    if profile.prefill == "reject":
        raise invalid_request(
            f"messages: this model does not support assistant message prefill; "
            f"end the conversation with a user message (the last of {len(messages)} is the assistant's)"
        )
    if field := _PREFILL_FIELDS.get(profile.prefill):
        last[field] = True
    elif profile.prefill == "continue_user":
        report.emulated("prefill_emulated", "messages", "the model is asked in words to continue its message")
        messages.append({"role": "user", "content": CONTINUE})


def _sampling(
    conversation: Conversation, profile: Profile, report: Report, *, thinking: bool
) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    given = conversation.sampling
    temperature = given.temperature if given.temperature is not None else profile.temperature
    if temperature is not None:
        fields["temperature"] = _clamped(temperature, profile, report)
    if given.top_p is not None and given.top_p != 1:
        fields["top_p"] = given.top_p
    if thinking and not profile.sampling_with_thinking:
        for name in fields:
            report.dropped("sampling_dropped", name, "the provider does not take it while the model reasons")
        fields.clear()
    if given.top_k is not None:
        if "top_k" in profile.accept_params:
            fields["top_k"] = given.top_k
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
