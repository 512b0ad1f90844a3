"""A `Conversation` becomes the body of a Chat Completions request."""

from __future__ import annotations

from typing import Any

from claude_code_proxy.core.conversation import AssistantTurn, Conversation, Text, Tool
from claude_code_proxy.core.errors.api import invalid_request
from claude_code_proxy.core.openai import parameters
from claude_code_proxy.core.openai.chat.encode_messages import write_messages
from claude_code_proxy.core.openai.chat.thinking_switch import thinking_fields
from claude_code_proxy.core.openai.parameters import Offer
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Report

_PREFILL_FIELDS = {"native_prefix": "prefix", "native_partial": "partial"}


def encode(conversation: Conversation, profile: Profile, *, model: str, report: Report) -> dict[str, Any]:
    """The body for the upstream model `model`, its keys in a fixed order.

    Raises `ApiError` 400 where the profile refuses a last message of the assistant.
    """
    settings, thinking = parameters.thinking_now(conversation, profile, report)
    offer = parameters.offer(conversation, profile, report, thinking=thinking)
    form = parameters.answer_form(conversation, profile, report, has_tools=bool(offer.tools))
    system = (*conversation.system, Text(form.instruction)) if form.instruction else conversation.system
    messages = write_messages(conversation, system, profile, report)
    _continue_prefill(conversation, messages, profile, report)
    body: dict[str, Any] = {"model": model, "messages": messages}
    if profile.max_tokens_field != "omit":
        body[profile.max_tokens_field] = parameters.output_limit(
            conversation, profile, report, thinking=thinking
        )
    body |= parameters.sampling(conversation, profile, report, thinking=thinking)
    if conversation.stop_sequences and (sent := parameters.upstream_stops(conversation, profile)):
        body["stop"] = list(sent)
    body |= _tool_fields(offer, profile)
    body |= thinking_fields(settings, profile, conversation.max_tokens, report)
    if form.kind == "json_schema":
        body["response_format"] = {"type": form.kind, "json_schema": form.named}
    elif form.kind:
        body["response_format"] = {"type": form.kind}
    body |= parameters.common(conversation, profile, report)
    if conversation.stream and profile.stream_usage:
        body["stream_options"] = {"include_usage": True}
    return parameters.finish_body(body, profile, report)


def _tool_fields(offer: Offer, profile: Profile) -> dict[str, Any]:
    search = profile.web_search_body if offer.search else {}
    fields: dict[str, Any] = {name: value for name, value in search.items() if name != "tools"}
    tools = [*offer.tools.encoded, *search.get("tools", ())]
    if not tools:
        return fields
    fields["tools"] = tools
    if offer.choice == "named":
        fields["tool_choice"] = {"type": "function", "function": {"name": offer.name}}
    elif offer.choice:
        fields["tool_choice"] = offer.choice
    if offer.parallel is not None:
        fields["parallel_tool_calls"] = offer.parallel
    return fields


def encode_tool(tool: Tool) -> dict[str, Any]:
    """One entry of the `tools` array."""
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = tool.parameters
    if tool.strict:
        function["strict"] = True
    return {"type": "function", "function": function}


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
        report.dropped("blank_prefill", "messages", "a last message of white space adds nothing")
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
        messages.append({"role": "user", "content": parameters.CONTINUE})
