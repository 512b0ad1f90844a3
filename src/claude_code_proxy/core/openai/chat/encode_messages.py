"""Turns as Chat Completions messages.

All-text content goes out as one string, because strings are accepted everywhere and arrays are not; only
with cache marks, which need a place, messages always take the array form, so that a mark that moves to the
next turn does not change the bytes before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from claude_code_proxy.core.conversation import (
    AssistantTurn,
    Conversation,
    File,
    Image,
    Instruction,
    Part,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    UserTurn,
    longest_mark,
)
from claude_code_proxy.core.openai.cache_marks import CacheMarks
from claude_code_proxy.core.openai.reasoning_replay import first_turn_with_reasoning
from claude_code_proxy.core.openai.tool_results import read_result
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Report

Message: TypeAlias = dict[str, Any]

BRIDGE = "Understood."


def write_messages(
    conversation: Conversation, system: Sequence[Text], profile: Profile, report: Report
) -> list[Message]:
    """The messages of `conversation`, led by the texts of `system`."""
    return _Writer(profile, report).run(conversation, system)


class _Writer:
    def __init__(self, profile: Profile, report: Report) -> None:
        self._profile = profile
        self._report = report
        self._marks = CacheMarks(profile)
        self._messages: list[Message] = []

    def run(self, conversation: Conversation, system: Sequence[Text]) -> list[Message]:
        if system:
            self._messages.append({"role": self._profile.system_role, "content": self._spoken(system)})
        first_reasoning = first_turn_with_reasoning(conversation, self._profile)
        for index, turn in enumerate(conversation.turns):
            if isinstance(turn, AssistantTurn):
                self._messages.append(self._assistant(turn, reasoning=index >= first_reasoning))
            else:
                self._user(turn)
        self._marks.settle()
        return self._messages

    def _user(self, turn: UserTurn) -> None:
        moved: list[Part | Instruction] = []
        for result in turn.results:
            self._messages.append(self._tool_message(result, moved))
        parts = [*moved, *turn.parts]
        if turn.results and parts and self._profile.user_after_tool != "allow":
            if self._merged_into_tool(parts):
                return
            self._messages.append({"role": "assistant", "content": BRIDGE})
            self._report.emulated(
                "bridge", "messages", "an assistant message between tool and user", quiet=True
            )
        start = 0
        for index, part in enumerate(parts):
            if isinstance(part, Instruction):
                self._speak(parts[start:index])
                content = self._spoken([Text(part.text, part.cached)])
                self._messages.append({"role": self._profile.system_role, "content": content})
                start = index + 1
        self._speak(parts[start:])

    def _speak(self, parts: Sequence[Part | Instruction]) -> None:
        if parts:
            self._messages.append({"role": "user", "content": self._spoken(parts)})

    def _merged_into_tool(self, parts: Sequence[Part | Instruction]) -> bool:
        if self._profile.user_after_tool != "merge_into_tool":
            return False
        texts = [part.text for part in parts if isinstance(part, Text)]
        last = self._messages[-1]
        if len(texts) != len(parts) or not isinstance(last["content"], str):
            return False
        last["content"] = "\n\n".join([last["content"], *texts] if last["content"] else texts)
        self._report.changed(
            "user_text_in_tool_message", "messages", "no user message after tools", quiet=True
        )
        return True

    def _tool_message(self, result: ToolResult, moved: list[Part | Instruction]) -> Message:
        found = read_result(result, self._stays_inline)
        moved += found.moved
        text = found.text
        content: str | list[dict[str, Any]]
        if text is None:
            content = [self._part(part) for part in found.parts]
        else:
            content = self._one_text(text or self._profile.tool_result_filler, (result, *result.parts))
        return {"role": "tool", "tool_call_id": result.id, "content": content}

    def _stays_inline(self, part: Part) -> bool:
        return isinstance(part, Image) and self._profile.tool_result_images == "inline"

    def _assistant(self, turn: AssistantTurn, *, reasoning: bool) -> Message:
        profile = self._profile
        texts: list[Text] = []
        thoughts: list[Thinking] = []
        calls: list[dict[str, Any]] = []
        for part in turn.parts:
            if isinstance(part, Text):
                texts.append(part)
            elif isinstance(part, ToolCall):
                calls.append(self._call(part, first=not calls))
            elif reasoning:
                thoughts.append(part)
        text = texts[0].text if len(texts) == 1 else "".join([part.text for part in texts])
        if thoughts and profile.reasoning_replay == "think_tags":
            text = f"<think>\n{_joined(thoughts)}\n</think>\n\n{text}"
        message: Message = {"role": "assistant"}
        if text:
            message["content"] = self._one_text(text, texts)
        elif profile.assistant_empty_content != "omit":
            message["content"] = "" if profile.assistant_empty_content == "empty_string" else None
        self._add_reasoning(message, thoughts, required=bool(calls))
        if calls:
            message["tool_calls"] = calls
        return message

    def _call(self, call: ToolCall, *, first: bool) -> dict[str, Any]:
        body: dict[str, Any] = {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        if call.extra is not None:
            body["extra_content"] = call.extra
        elif first and self._profile.signature_filler:
            # A call of another provider's model has no thought signature, and Gemini refuses one without.
            body["extra_content"] = {"google": {"thought_signature": self._profile.signature_filler}}
            self._report.emulated(
                "signature_filler", "messages", "a stand-in for a thought signature", quiet=True
            )
        return body

    def _add_reasoning(self, message: Message, thoughts: Sequence[Thinking], *, required: bool) -> None:
        profile = self._profile
        match profile.reasoning_replay:
            case "reasoning_content" | "reasoning" as field:
                if thoughts:
                    message[field] = _joined(thoughts)
                elif required and profile.require_reasoning_on_tool_calls:
                    message[field] = profile.reasoning_filler
            case "reasoning_details" if thoughts:
                message["reasoning_details"] = _details(thoughts)
            case "reasoning_opaque" if required and (opaque := _opaque(thoughts)):
                if text := _joined(thoughts):
                    message["reasoning_text"] = text
                message["reasoning_opaque"] = opaque
            case _:
                pass

    def _spoken(self, parts: Sequence[Part | Instruction]) -> str | list[dict[str, Any]]:
        if not self._marks.kept:
            texts = [part.text for part in parts if isinstance(part, Text)]
            if len(texts) == len(parts):
                return "\n\n".join(texts)
        return [self._part(part) for part in parts]

    def _one_text(self, text: str, marked: Sequence[Part | ToolResult]) -> str | list[dict[str, Any]]:
        """The content that says `text`, which was made of what may be `marked`."""
        if not self._marks.kept or not text:
            return text
        return [self._part(Text(text, longest_mark(marked)))]

    def _part(self, part: Part | Instruction) -> dict[str, Any]:
        body = _PARTS[type(part)](part)
        if part.cached:
            self._marks.put(body, part.cached)
        return body


def _joined(thoughts: Sequence[Thinking]) -> str:
    return "\n".join(thought.text for thought in thoughts if thought.text)


def _details(thoughts: Sequence[Thinking]) -> list[Any]:
    details: list[Any] = []
    for thought in thoughts:
        if thought.sealed:
            details += thought.sealed.items
        else:
            details.append({"type": "reasoning.text", "text": thought.text})
    return details


def _opaque(thoughts: Sequence[Thinking]) -> str:
    """GitHub Copilot's state, which a stream sends in pieces."""
    pieces = [piece for thought in thoughts if thought.sealed for piece in thought.sealed.items]
    return "".join(piece for piece in pieces if isinstance(piece, str))


def _text_part(part: Text) -> dict[str, Any]:
    return {"type": "text", "text": part.text}


def _image_part(part: Image) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": part.url}}


def _file_part(part: File) -> dict[str, Any]:
    return {"type": "file", "file": {"filename": part.filename, "file_data": part.url}}


_PARTS: dict[Any, Callable[[Any], dict[str, Any]]] = {
    Text: _text_part,
    Image: _image_part,
    File: _file_part,
}
