"""What the demo shows: labelled lines that grow as text arrives."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TextIO

from claude_code_proxy.core import wire

_WIDTH = 8
_BOLD, _DIM, _GREEN, _YELLOW, _CYAN = "1", "2", "32", "33", "36"
_COLOURS = {
    "demo": _BOLD,
    "you": _CYAN,
    "thinks": _DIM,
    "model": _GREEN,
    "tool": _YELLOW,
    "result": _YELLOW,
    "usage": _DIM,
}
_LINES = 12


class Screen:
    """Writes a conversation to `stream`, in colour when that is a terminal that wants it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._colour = stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        self._open = ""
        self._breaks = ""

    def line(self, label: str, text: str) -> None:
        """Show a whole paragraph; a long one is cut."""
        lines = text.strip().splitlines() or [""]
        if len(lines) > _LINES:
            lines = [*lines[:_LINES], f"... {len(lines) - _LINES} more lines"]
        self.grow(label, "\n".join(lines))
        self.end()

    def grow(self, label: str, text: str) -> None:
        """Show `text` behind what `label` showed last; another label starts a new line."""
        if self._open != label:
            self.end()
            self._stream.write(self._painted(label))
            self._open = label
            text = text.lstrip("\n")
        # Line breaks wait for what follows them: an answer may end with some.
        text = self._breaks + text
        shown = text.rstrip("\n")
        self._breaks = text[len(shown) :]
        self._stream.write(shown.replace("\n", "\n" + " " * _WIDTH))
        self._stream.flush()

    def end(self) -> None:
        """End the line that is open, if one is."""
        if self._open:
            self._stream.write("\n")
            self._stream.flush()
        self._open = self._breaks = ""

    def tool(self, name: str, arguments: Any) -> None:
        """Show a tool call."""
        self.line("tool", f"{name} {wire.dumps_text(arguments)}")

    def usage(self, usage: Mapping[str, Any]) -> None:
        """Show an Anthropic `usage` object."""
        cached = usage.get("cache_read_input_tokens") or 0
        sent = (usage.get("input_tokens") or 0) + cached + (usage.get("cache_creation_input_tokens") or 0)
        self.line("usage", f"{sent} tokens in ({cached} cached), {usage.get('output_tokens') or 0} out")

    def _painted(self, label: str) -> str:
        text = label.ljust(_WIDTH)
        return f"\x1b[{_COLOURS[label]}m{text}\x1b[0m" if self._colour else text
