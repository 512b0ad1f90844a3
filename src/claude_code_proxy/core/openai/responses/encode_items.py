"""Turns as the input items of a Responses request.

Reasoning items go back as they came, each before the item that it led to: the server refuses one that
stands alone. They were sealed with notes about their neighbours (`core.openai.responses.decode`), which never
leave the proxy.
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

Item: TypeAlias = dict[str, Any]


def write_input(
    conversation: Conversation, system: Sequence[Text], profile: Profile, report: Report
) -> tuple[str, list[Item]]:
    """The `instructions` and the `input` for `conversation`, led by the texts of `system`.

    Where cache marks need a place the instructions are "", and an input item holds them instead.
    """
    return _Writer(profile, report).run(conversation, system)


class _Writer:
    def __init__(self, profile: Profile, report: Report) -> None:
        self._profile = profile
        self._report = report
        self._marks = CacheMarks(profile)
        self._items: list[Item] = []

    def run(self, conversation: Conversation, system: Sequence[Text]) -> tuple[str, list[Item]]:
        instructions = ""
        if system and self._marks.kept:
            self._items.append({"role": "developer", "content": self._spoken(system)})
        else:
            instructions = "\n\n".join(part.text for part in system)
        first_reasoning = first_turn_with_reasoning(conversation, self._profile)
        for index, turn in enumerate(conversation.turns):
            if isinstance(turn, AssistantTurn):
                self._assistant(turn, reasoning=index >= first_reasoning)
            else:
                self._user(turn)
        self._marks.settle()
        return instructions, self._items

    # --- the assistant's ------------------------------------------------------------------------------

    def _assistant(self, turn: AssistantTurn, *, reasoning: bool) -> None:
        waiting: list[Item] = []  # reasoning, until the item comes that it led to
        phase: str | None = None
        message: Item | None = None
        for part in turn.parts:
            if isinstance(part, Text):
                if message is None or waiting or phase:
                    message = {"role": "assistant", "content": ""}
                    if phase:
                        message["phase"] = phase
                    self._items += [*waiting, message]
                    waiting, phase = [], None
                message["content"] += part.text
            elif isinstance(part, ToolCall):
                call = {"call_id": part.id, "name": part.name, "arguments": part.arguments}
                self._items += [*waiting, {"type": "function_call", **call}]
                waiting, phase, message = [], None, None
            elif reasoning:
                waiting, phase = self._reasoning(part, waiting, phase)
        self._drop_alone(waiting)

    def _reasoning(
        self, thinking: Thinking, waiting: list[Item], phase: str | None
    ) -> tuple[list[Item], str | None]:
        if thinking.sealed is None:
            self._report.dropped(
                "thinking_dropped", "messages", "only the provider's own reasoning items go back", quiet=True
            )
            return waiting, phase
        waiting = list(waiting)
        for item in thinking.sealed.items:
            match item:
                case {"type": "reasoning"}:
                    waiting.append(item)
                case {"type": "message", "phase": "commentary" | "final_answer" as word}:
                    phase = word
                case _:  # it led to an item that did not reach the client
                    self._drop_alone(waiting)
                    waiting = []
        return waiting, phase

    def _drop_alone(self, waiting: list[Item]) -> None:
        if waiting:
            self._report.dropped(
                "reasoning_alone", "messages", "a reasoning item whose next item is missing", quiet=True
            )

    # --- the user's -----------------------------------------------------------------------------------

    def _user(self, turn: UserTurn) -> None:
        parts: list[Part | Instruction] = []
        for result in turn.results:
            output, moved = self._output(result)
            self._items.append({"type": "function_call_output", "call_id": result.id, "output": output})
            parts += moved
        parts += turn.parts
        start = 0
        for index, part in enumerate(parts):
            if isinstance(part, Instruction):
                self._speak(parts[start:index])
                content = self._spoken([Text(part.text, part.cached)])
                self._items.append({"role": "developer", "content": content})
                start = index + 1
        self._speak(parts[start:])

    def _output(self, result: ToolResult) -> tuple[str | list[dict[str, Any]], list[Part]]:
        found = read_result(result, lambda _: self._profile.tool_result_images == "inline")
        text = found.text
        if text is None:
            return [self._part(part) for part in found.parts], found.moved
        if text and self._marks.kept:
            return [self._part(Text(text, longest_mark((result, *result.parts))))], found.moved
        return text or self._profile.tool_result_filler, found.moved

    def _speak(self, parts: Sequence[Part | Instruction]) -> None:
        if parts:
            self._items.append({"role": "user", "content": self._spoken(parts)})

    def _spoken(self, parts: Sequence[Part | Instruction]) -> str | list[dict[str, Any]]:
        texts = [part.text for part in parts if isinstance(part, Text)]
        if not self._marks.kept and len(texts) == len(parts):
            return "\n\n".join(texts)
        return [self._part(part) for part in parts]

    def _part(self, part: Part | Instruction) -> dict[str, Any]:
        body = _PARTS[type(part)](part)
        if part.cached:
            self._marks.put(body, part.cached)
        return body


def _text_part(part: Text) -> dict[str, Any]:
    return {"type": "input_text", "text": part.text}


def _image_part(part: Image) -> dict[str, Any]:
    return {"type": "input_image", "image_url": part.url, "detail": "auto"}


def _file_part(part: File) -> dict[str, Any]:
    if not part.url.startswith("data:"):
        return {"type": "input_file", "file_url": part.url}  # the API takes no name beside it
    return {"type": "input_file", "filename": part.filename, "file_data": part.url}


_PARTS: dict[Any, Callable[[Any], dict[str, Any]]] = {
    Text: _text_part,
    Image: _image_part,
    File: _file_part,
}
