"""Reasoning that arrives as `<think>...</think>` at the start of the content."""

from __future__ import annotations

from claude_code_proxy.core.deltas import Reasoning, Text

_MOST_BLANK = 4096  # characters of white space that are held back
_TAGS = {"<think>": "</think>", "<thought>": "</thought>"}  # the second: Gemini's compatible endpoint


class ThinkTags:
    """Splits streamed content. A tag counts only at the very start; elsewhere it is the model's text."""

    def __init__(self, *, implicit: bool = False) -> None:
        self._held = ""
        self._close = "</think>" if implicit else ""  # set while inside reasoning
        self._deciding = not implicit
        self._trim = implicit  # drop white space until something is said

    @property
    def active(self) -> bool:
        """Whether content still has to come through here."""
        return self._deciding or bool(self._close) or self._trim

    def feed(self, text: str) -> list[Text | Reasoning]:
        """Take the next piece of content."""
        text, self._held = self._held + text, ""
        if self._deciding:
            start = text.lstrip()
            if start and start[0] != "<":
                self._deciding = False
                return [Text(text)]
            blank = not start and len(text) <= _MOST_BLANK
            if blank or any(start and tag.startswith(start) and tag != start for tag in _TAGS):
                self._held = text
                return []
            self._deciding = False
            opened = next((tag for tag in _TAGS if start.startswith(tag)), None)
            if opened is None:
                return [Text(text)]
            self._close, self._trim, text = _TAGS[opened], True, start[len(opened) :]
        return self._inside(text) if self._close else self._after(text)

    def flush(self) -> list[Text | Reasoning]:
        """The content ended. A tag that was never closed leaves what followed it as reasoning."""
        held, self._held = self._held, ""
        if self._close:
            held = held.rstrip()
            return [Reasoning(held)] if held else []
        return [Text(held)] if held else []

    def _inside(self, text: str) -> list[Text | Reasoning]:
        if self._trim:
            text = text.lstrip()
            if not text:
                return []
        at = text.find(self._close)
        if at >= 0:
            reasoning, rest = text[:at].rstrip(), text[at + len(self._close) :]
            self._close, self._trim = "", True
            found: list[Text | Reasoning] = [Reasoning(reasoning)] if reasoning else []
            return found + self._after(rest)
        keep = next(n for n in range(len(self._close) - 1, -1, -1) if text.endswith(self._close[:n]))
        said = text[: len(text) - keep]
        said = said.rstrip() or said[:-_MOST_BLANK]
        self._held = text[len(said) :]
        if not said:
            return []
        self._trim = False
        return [Reasoning(said)]

    def _after(self, text: str) -> list[Text | Reasoning]:
        if self._trim:
            text = text.lstrip()
            if text:
                self._trim = False
        return [Text(text)] if text else []
