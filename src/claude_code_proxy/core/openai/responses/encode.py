"""A `Conversation` becomes the body of a Responses request.

The proxy keeps nothing, so the provider shall keep nothing either (`store: false`) and hand its reasoning
over encrypted, to be replayed with the conversation.
"""

from __future__ import annotations

from typing import Any

from claude_code_proxy.core.conversation import (
    AssistantTurn,
    Conversation,
    Text,
    ThinkingSettings,
    Tool,
    WebSearch,
)
from claude_code_proxy.core.errors.api import invalid_request
from claude_code_proxy.core.openai import parameters
from claude_code_proxy.core.openai.chat.thinking_switch import thinking_fields
from claude_code_proxy.core.openai.parameters import Offer
from claude_code_proxy.core.openai.responses.encode_items import write_input
from claude_code_proxy.core.providers.profile import REASONING_SUMMARY, Profile
from claude_code_proxy.core.report import Report

_ENCRYPTED = "reasoning.encrypted_content"
_SOURCES = "web_search_call.action.sources"


def encode(conversation: Conversation, profile: Profile, *, model: str, report: Report) -> dict[str, Any]:
    """The body for the upstream model `model`, its keys in a fixed order.

    Raises `ApiError` 400 where the profile refuses a last message of the assistant.
    """
    settings, thinking = parameters.thinking_now(conversation, profile, report)
    offer = parameters.offer(conversation, profile, report, thinking=thinking)
    form = parameters.answer_form(conversation, profile, report, has_tools=bool(offer.tools))
    system = (*conversation.system, Text(form.instruction)) if form.instruction else conversation.system
    instructions, items = write_input(conversation, system, profile, report)
    _continue_prefill(conversation, items, profile, report)
    body: dict[str, Any] = {"model": model}
    if instructions or profile.needs_instructions:
        body["instructions"] = instructions
    body["input"] = items
    if profile.max_tokens_field != "omit":
        body["max_output_tokens"] = parameters.output_limit(conversation, profile, report, thinking=thinking)
    body["store"] = False
    body["include"] = [_ENCRYPTED, _SOURCES] if offer.search else [_ENCRYPTED]
    body |= parameters.sampling(conversation, profile, report, thinking=thinking)
    body |= _tool_fields(offer)
    body |= _thinking_fields(settings, profile, conversation.max_tokens, report)
    if form.kind:
        body["text"] = {"format": {"type": form.kind, **form.named}}
    body |= parameters.common(conversation, profile, report)
    return parameters.finish_body(body, profile, report)


def _tool_fields(offer: Offer) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    tools = list(offer.tools.encoded)
    if offer.search is not None:
        tools.append(_search_tool(offer.search))
    if tools:
        fields["tools"] = tools
    if offer.choice == "named":
        fields["tool_choice"] = {"type": "function", "name": offer.name}
    elif offer.choice:
        fields["tool_choice"] = offer.choice
    if offer.parallel is not None:
        fields["parallel_tool_calls"] = offer.parallel
    return fields


def encode_tool(tool: Tool) -> dict[str, Any]:
    """One entry of the `tools` array."""
    body: dict[str, Any] = {"type": "function", "name": tool.name}
    if tool.description:
        body["description"] = tool.description
    # Without the key the server makes the schema strict by itself: every property becomes required.
    return body | {"parameters": tool.parameters, "strict": tool.strict}


def _search_tool(search: WebSearch) -> dict[str, Any]:
    body: dict[str, Any] = {"type": "web_search"}
    if search.allowed_domains:
        body["filters"] = {"allowed_domains": list(search.allowed_domains)}
    if search.location:
        body["user_location"] = search.location
    return body


def _thinking_fields(
    settings: ThinkingSettings, profile: Profile, max_tokens: int, report: Report
) -> dict[str, Any]:
    """As in Chat Completions, but that the effort stands in `reasoning`, beside the request for a summary."""
    fields = thinking_fields(settings, profile, max_tokens, report)
    reasoning: dict[str, Any] = fields.pop("reasoning", {})
    if "reasoning_effort" in fields:
        reasoning["effort"] = fields.pop("reasoning_effort")
    shown = settings.on or profile.always_emit_thinking
    if shown and profile.thinking_switch != "none" and REASONING_SUMMARY not in profile.drop_params:
        reasoning["summary"] = "auto"
    return fields | {"reasoning": reasoning} if reasoning else fields


def _continue_prefill(
    conversation: Conversation, items: list[dict[str, Any]], profile: Profile, report: Report
) -> None:
    """Deal with a last message of the assistant, which asks the model to write on from there."""
    if not isinstance(conversation.turns[-1], AssistantTurn):
        return
    # Such a turn ends in text: its calls would have been answered, and thinking that ends a turn is dropped.
    last = items[-1]
    last["content"] = last["content"].rstrip()
    if not last["content"] and len(conversation.turns) > 1:
        report.dropped("blank_prefill", "messages", "a last message of white space adds nothing")
        items.pop()
        while items and items[-1].get("type") == "reasoning":
            items.pop()
        return
    if profile.prefill == "reject":
        raise invalid_request(
            "messages: this model does not support assistant message prefill; end with a user message"
        )
    if profile.prefill != "native_last":
        report.emulated("prefill_emulated", "messages", "the model is asked in words to continue its message")
        items.append({"role": "user", "content": parameters.CONTINUE})
