"""A Chat Completions request as the demo's model reads it: what was asked last, and what was done since."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

# Claude Code wraps what it tells the model beside the user's words; a proxy adds captions to moved images.
_ASIDE = re.compile(
    r"<system-reminder>.*?(?:</system-reminder>|\Z)|^Image from tool result .*$", re.DOTALL | re.MULTILINE
)
_DATA_URL = re.compile(r"data:([\w.+/-]+);base64,(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Result:
    """One tool result: the name of the tool that was called and the text that came back."""

    tool: str
    text: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """The last instruction and what has happened since.

    `results` are the tool results after the instruction, `images` the images in it or after it, each as
    `media type, size`.
    """

    instruction: str
    results: tuple[Result, ...]
    images: tuple[str, ...]

    @property
    def called(self) -> frozenset[str]:
        """The names of the tools that were called since the instruction."""
        return frozenset(result.tool for result in self.results)


def read(messages: list[dict[str, Any]]) -> Conversation:
    """Find the last user message that says something; everything after it is what the model did about it."""
    start = 0
    instruction = ""
    for index in range(len(messages) - 1, -1, -1):
        if messages[index]["role"] == "user" and (text := spoken(messages[index])):
            start, instruction = index, text
            break
    names: dict[str, str] = {}
    results: list[Result] = []
    images: list[str] = []
    for message in messages[start:]:
        for call in message.get("tool_calls") or ():
            names[call["id"]] = call["function"]["name"]
        if message["role"] == "tool":
            results.append(Result(names.get(message["tool_call_id"], "tool"), text_of(message)))
        images.extend(images_of(message))
    return Conversation(instruction, tuple(results), tuple(images))


def spoken(message: dict[str, Any]) -> str:
    """What the user said in `message`, without reminders and captions."""
    return _ASIDE.sub("", text_of(message)).strip()


def text_of(message: dict[str, Any]) -> str:
    """The text of a message, whether its content is a string or a list of parts."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content or () if part.get("type") == "text")


def images_of(message: dict[str, Any]) -> list[str]:
    """The images of a message as `media type, size`, or the address of one that is elsewhere."""
    content = message.get("content")
    if not isinstance(content, list):
        return []
    found = []
    for part in content:
        if part.get("type") == "image_url":
            url = part["image_url"]["url"]
            inline = _DATA_URL.match(url)
            found.append(f"{inline[1]}, {_decoded_size(inline[2])} bytes" if inline else url)
    return found


def _decoded_size(base64: str) -> int:
    return len(base64) * 3 // 4 - base64.count("=", -2)
