"""A tool result as OpenAI's formats take it: texts and media in order, and what has to stand elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from claude_code_proxy.core.conversation import Image, Part, Text, ToolResult, longest_mark

_NO_OUTPUT = "(no output)"
_SELF_DECLARED_ERRORS = ("error", "<tool_use_error>")


class ResultContent(NamedTuple):
    """`parts` stay in the result, without two texts in a row; `moved` goes into the user message after it."""

    parts: list[Part]
    moved: list[Part]

    @property
    def text(self) -> str | None:
        """All of the result, "" for an empty one; None where an image or a file is in it."""
        if not self.parts:
            return ""
        first = self.parts[0]
        return first.text if len(self.parts) == 1 and isinstance(first, Text) else None


def read_result(result: ToolResult, stays: Callable[[Part], bool]) -> ResultContent:
    """The content of `result`; `stays` says which images and files the format takes inside of it.

    The others move, and a line of text says where each of them stood.
    """
    parts: list[Part] = []
    moved: list[Part] = []
    numbers = {"image": 0, "document": 0}
    for part in result.parts:
        if isinstance(part, Text):
            _add_text(parts, part)
        elif stays(part):
            parts.append(part)
        else:
            moved.append(part)
            noun = "image" if isinstance(part, Image) else "document"
            numbers[noun] += 1
            place = f"[{noun} {numbers[noun]} of this tool result is in the next user message]"
            _add_text(parts, Text(place))
    if moved:
        nouns = " and ".join(f"{noun}s" if count > 1 else noun for noun, count in numbers.items() if count)
        moved.insert(0, Text(f"{nouns.capitalize()} from tool result {result.id}:"))
    if result.is_error:
        _say_error(parts)
    return ResultContent(parts, moved)


def _add_text(parts: list[Part], added: Text) -> None:
    last = parts[-1] if parts else None
    if isinstance(last, Text):
        parts[-1] = Text(f"{last.text}\n\n{added.text}", longest_mark((last, added)))
    else:
        parts.append(added)


def _say_error(parts: list[Part]) -> None:
    """Put the failure into words: without them the model takes it for a success."""
    first = parts[0] if parts else Text(_NO_OUTPUT)
    if not isinstance(first, Text):
        parts.insert(0, Text("Error:"))
    elif not first.text.lower().startswith(_SELF_DECLARED_ERRORS):
        parts[:1] = [Text(f"Error: {first.text or _NO_OUTPUT}", first.cached)]
