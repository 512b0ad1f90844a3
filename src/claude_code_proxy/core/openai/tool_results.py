"""A tool result as OpenAI's formats take it: its text, its media, and what has to stand elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from claude_code_proxy.core.conversation import Image, Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from claude_code_proxy.core.conversation import Part, ToolResult

_NO_OUTPUT = "(no output)"
_SELF_DECLARED_ERRORS = ("error", "<tool_use_error>")


class ResultContent(NamedTuple):
    """`text` and `media` stay in the result; `moved` goes into the user message after it."""

    text: str
    media: list[Part]
    moved: list[Part]


def read_result(result: ToolResult, stays: Callable[[Part], bool]) -> ResultContent:
    """The content of `result`; `stays` says which images and files the format takes inside of it."""
    texts = [part.text for part in result.parts if isinstance(part, Text)]
    media: list[Part] = []
    away: list[Part] = []
    if len(texts) < len(result.parts):
        for part in result.parts:
            if not isinstance(part, Text):
                (media if stays(part) else away).append(part)
    moved: list[Part] = []
    if away:
        nouns = ["image" if isinstance(part, Image) else "document" for part in away]
        texts = texts or [
            f"[{noun} {number} of this tool result is in the next user message]"
            for number, noun in enumerate(nouns, 1)
        ]
        moved = [Text(f"{nouns[0].capitalize()} from tool result {result.id}:"), *away]
    text = "\n\n".join(texts)
    if result.is_error and not text.lower().startswith(_SELF_DECLARED_ERRORS):
        # Without a word of it the model takes the failure for a success.
        text = f"Error: {text or _NO_OUTPUT}"
    return ResultContent(text, media, moved)
