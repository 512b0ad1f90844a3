"""What a judge sees of a conversation: who asked for what, and what was done. No tool results.

One JSON object per line, so that nothing inside can pass for another line; and only ever longer with each
turn, so that the provider's prompt cache hits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from claude_code_proxy.core import wire
from claude_code_proxy.core.auto_mode.tool_uses import ToolUse, calls_of, is_harmless
from claude_code_proxy.core.wire import objects_in

MAX_USER_TEXT = 20_000
"""Characters of one text of the user; of a longer one, its beginning and its end."""
MAX_PAST_INPUT = 1000
"""Characters of each text in the input of a call that ran before."""
_REMINDER = "<system-reminder>"


def instructions(body: Mapping[str, Any]) -> list[str]:
    """What the client put before the conversation: the project's instructions, in its first message."""
    for message in objects_in(body.get("messages")):
        if message.get("role") == "user":
            return [text for text in _texts(message) if text.lstrip().startswith(_REMINDER)]
    return []


def lines(body: Mapping[str, Any], context: Mapping[str, Any], author: str) -> Iterator[str]:
    """The user's texts, called `author`, and the calls that may have had an effect, one line each."""
    for message in objects_in(body.get("messages")):
        if message.get("role") == "user":
            for text in _texts(message):
                if not text.lstrip().startswith(_REMINDER):
                    yield _line({author: _cut(text, MAX_USER_TEXT)})
        elif message.get("role") == "assistant":
            for call in calls_of(message.get("content")):
                if not is_harmless(call, context):
                    yield call_line(call._replace(input=_shortened(call.input)))


def call_line(call: ToolUse) -> str:
    """The line of one call."""
    return _line({"call": call.name, "input": call.input})


def _texts(message: Mapping[str, Any]) -> Iterator[str]:
    content = message.get("content")
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    for block in objects_in(blocks):
        if block.get("type") == "text":
            text = block.get("text")
            if isinstance(text, str) and text.strip():
                yield text


def _line(value: dict[str, Any]) -> str:
    return wire.dumps_text(value)


def _shortened(value: Any) -> Any:
    """An input with long texts cut; deeper values as their JSON text."""
    if isinstance(value, dict):
        return {key: _short(one) for key, one in value.items()}
    return _short(value)


def _short(value: Any) -> Any:
    text = value if isinstance(value, str) else wire.dumps_text(value)
    return value if len(text) <= MAX_PAST_INPUT else _cut(text, MAX_PAST_INPUT)


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    head = most * 3 // 4
    return f"{text[:head]} [{len(text) - most} characters left out] {text[-(most - head) :]}"
