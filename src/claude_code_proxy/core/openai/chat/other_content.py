"""What stands in a message beside its text: images, audio, and reasoning that is no plain string.

The Messages API has no block for an image or for audio in an answer, so a text says that there was one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Tell = Callable[[str, str, str], None]

MEDIA_FIELDS = frozenset(("images", "audio"))
"""`images` is OpenRouter's list of generated images, `audio` OpenAI's object with a transcript."""
_TEXT_FIELDS = ("text", "content", "summary", "thinking", "reasoning", "reasoning_content")
_MOST_DEPTH = 4


def media_texts(message: dict[str, Any], tell: Tell) -> Iterator[str]:
    """The texts that stand for the images and the audio of a message or a delta."""
    audio = message.get("audio")
    if isinstance(audio, dict):
        if audio.get("data"):
            tell("audio_dropped", "upstream.audio", "only the transcript of the audio is shown")
        if isinstance(transcript := audio.get("transcript"), str) and transcript:
            yield transcript
    images = message.get("images")
    for image in images if isinstance(images, list) else ():
        if isinstance(image, dict):
            yield image_text(image, tell)


def image_text(part: dict[str, Any], tell: Tell) -> str:
    """The text that stands for one image: its address, or what kind of data it is."""
    image = part.get("image_url") or part.get("url") or part.get("image")
    url = image.get("url") if isinstance(image, dict) else image
    if isinstance(url, str) and url.startswith(("https://", "http://")):
        return f"\n\n![image]({url})\n\n"
    tell("image_dropped", "upstream.images", "an answer cannot hold an image: only its kind is shown")
    kind, size = "", 0
    if isinstance(url, str) and url.startswith("data:"):
        head, _, data = url.partition(",")
        kind, size = head[5:60].partition(";")[0], len(data) * 3 // 4
    what = ", ".join(word for word in (kind, f"{size:,} bytes" if size else "") if word)
    return f"\n\n[image: {what or 'in a form that cannot be shown'}]\n\n"


def reasoning_text(value: Any, depth: int = 0) -> str:
    """The readable text in reasoning of any shape: a string, an object with one, or a list of those."""
    if isinstance(value, str):
        return value
    if depth > _MOST_DEPTH:
        return ""
    if isinstance(value, list):
        return "".join(reasoning_text(item, depth + 1) for item in value)
    if isinstance(value, dict):
        texts = (reasoning_text(value[field], depth + 1) for field in _TEXT_FIELDS if value.get(field))
        return next((text for text in texts if text), "")
    return ""
