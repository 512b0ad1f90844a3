"""Tool calls that arrive as text, because a server does not parse what its model writes.

Splits streamed content into text and calls. Where the text is cut makes no difference. What only quotes a
call stays text: inside a code fence, right after a backtick, with a name that no declared tool has, or not
exactly in the notation. Nothing is ever completed: a call that was cut stays text as written.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from claude_code_proxy.core.deltas import Text
from claude_code_proxy.core.json_prefix import ObjectScanner
from claude_code_proxy.core.openai.chat.tool_dialects import (
    DIALECTS,
    Calls,
    Notation,
    Parameters,
    TextCall,
    Unfinished,
)
from claude_code_proxy.core.providers.profile import TextDialect

MAX_CALL = 4 << 20
"""Characters of a group of calls after which it is taken for text."""
MAX_ENDS = 32
"""End markers that may stand inside the values of one group."""

_PIECE = 4096  # characters that are searched for markers at a time
_FIRST_WORD = 100  # characters after a start marker in which the first word must come
_STRAY = "</tool_call>"  # Qwen3-Coder may close what it never opened
_LINE_START = 200  # characters of a line that decide whether it is a fence
_FENCE = re.compile(r"[ \t>]*(?:(?:[-*+]|\d+[.)])[ \t]+)?(`{3,}|~{3,})(.*)")
_FENCE_END = re.compile(r"[ \t>]*(`{3,}|~{3,})\s*")


class Fences:
    """Whether streamed Markdown stands in a fenced code block, of backticks or tildes, at any indent."""

    def __init__(self) -> None:
        self._fence = ""  # the marker that opened the block
        self._line = ""  # the beginning of the current line
        self._last = ""  # its last character

    def feed(self, text: str) -> None:
        """Take the next piece of text, which is not empty."""
        first, *others = text.split("\n")
        self._line = (self._line + first[:_LINE_START])[:_LINE_START]
        for line in others:
            self.end_line()
            self._line = line[:_LINE_START]
        self._last = text[-1]

    def end_line(self) -> None:
        """What comes next stands on a line of its own."""
        match = _FENCE_END.fullmatch(self._line)
        if not self._fence:
            self._fence = self._opening()
        elif match and match[1].startswith(self._fence):
            self._fence = ""
        self._line = self._last = ""

    @property
    def at_line_start(self) -> bool:
        """Whether only white space stands on the current line."""
        return not self._line.strip()

    @property
    def quoting(self) -> bool:
        """Whether what comes next is quoted: inside a block, on the line that opens one, after a backtick."""
        return bool(self._fence) or self._last == "`" or bool(self._opening())

    def _opening(self) -> str:
        match = _FENCE.fullmatch(self._line)
        if match is None or (match[1][0] == "`" and "`" in match[2]):  # inline code
            return ""
        return match[1]


class TextTools:
    """Feed it content; it returns text, and calls of the tools `names`, in order."""

    def __init__(
        self, dialects: Iterable[TextDialect], names: Collection[str], parameters: Parameters
    ) -> None:
        notations = [notation for dialect in dialects for notation in DIALECTS[dialect]]
        self._names = names
        self._parameters = parameters
        self._starts: dict[str, list[Notation]] = {}
        for notation in notations:
            self._starts.setdefault(notation.start, []).append(notation)
        self._longest = max(map(len, self._starts))
        self._start = re.compile("|".join(map(re.escape, self._starts)))
        self._fences = Fences()
        self._held = ""  # text that may be the beginning of a marker, or the first word of a group
        self._opened = ""  # the start marker of the group that `_held` may begin
        self._group: _Group | _ObjectGroup | None = None
        self._called = False  # only white space since the last call

    def feed(self, text: str) -> list[Text | TextCall]:
        """Take the next piece of content."""
        found: list[Text | TextCall] = []
        for start in range(0, len(text), _PIECE):  # what follows a marker is copied for each
            rest: str | None = text[start : start + _PIECE]
            while rest is not None:
                rest = self._in_group(rest, found) if self._group else self._outside(rest, found)
        return _merged(found)

    def flush(self, *, ended: bool) -> list[Text | TextCall]:
        """No more content comes; what was held back.

        If the model has `ended` its answer, a group that lacks nothing but its end marker counts.
        """
        found: list[Text | TextCall] = []
        group, self._group = self._group, None
        held, self._held = self._opened + self._held, ""
        self._opened = ""
        if group is not None:
            group.close(read=ended)
            self._settle(group, found)
        else:
            self._say(held, found)
        return _merged(found)

    # --- outside a group --------------------------------------------------------------------------------

    def _outside(self, text: str, found: list[Text | TextCall]) -> str | None:
        """Take text up to a group; the text that belongs to it, or None when there is none."""
        text, self._held = self._held + text, ""
        if self._opened:
            return self._enter(text, found)
        if self._called:
            text = text.lstrip()
            text = text.removeprefix(_STRAY).lstrip()
            if _STRAY.startswith(text):
                self._held = text
                return None
            self._called = False
        match = self._start.search(text)
        if match is None:
            keep = self._marker_begun(text)
            self._held = text[len(text) - keep :]
            self._say(text[: len(text) - keep], found)
            return None
        self._say(text[: match.start()], found)
        bare = match.group() == "{"
        if self._fences.quoting or (bare and not self._fences.at_line_start):
            self._say(match.group(), found)
        else:
            self._opened = match.group()
        return text[match.end() :]

    def _enter(self, text: str, found: list[Text | TextCall]) -> str | None:
        """Whether the start marker was one: the first word after it says so."""
        word = text[:_FIRST_WORD].lstrip()
        undecided = False
        for notation in self._starts[self._opened]:
            if not notation.first or word.startswith(notation.first):
                kind = _Group if notation.end else _ObjectGroup
                self._group, self._opened = kind(notation, self._parameters), ""
                return text
            undecided = undecided or any(first.startswith(word) for first in notation.first)
        if undecided and len(text) < _FIRST_WORD:
            self._held = text
            return None
        marker, self._opened = self._opened, ""
        self._say(marker, found)
        return text

    def _marker_begun(self, text: str) -> int:
        """How many characters at the end of `text` may be the beginning of a marker."""
        at = text.rfind("<", max(0, len(text) - self._longest + 1))
        if at < 0:
            return 0
        tail = text[at:]
        return len(tail) if any(start.startswith(tail) for start in self._starts) else 0

    def _say(self, text: str, found: list[Text | TextCall]) -> None:
        if not text:
            return
        self._fences.feed(text)
        found.append(Text(text))

    # --- inside a group ---------------------------------------------------------------------------------

    def _in_group(self, text: str, found: list[Text | TextCall]) -> str | None:
        group = self._group
        assert group is not None
        rest = group.feed(text)
        if rest is None:
            return None
        self._group = None
        self._settle(group, found)
        return rest

    def _settle(self, group: _Group | _ObjectGroup, found: list[Text | TextCall]) -> None:
        if isinstance(group.calls, list) and all(call.name in self._names for call in group.calls):
            found += group.calls
            self._fences.end_line()  # the text after a call is a block of its own
            self._called = True
        else:
            self._say(group.text, found)


def _merged(found: list[Text | TextCall]) -> list[Text | TextCall]:
    """`found` with texts that follow each other as one."""
    merged: list[Text | TextCall] = []
    texts: list[str] = []
    for one in [*found, None]:
        if isinstance(one, Text):
            texts.append(one.text)
            continue
        if texts:
            merged.append(Text("".join(texts)))
            texts = []
        if one is not None:
            merged.append(one)
    return merged


class _Group:
    """What stands between a start and an end marker, as far as it has come."""

    def __init__(self, notation: Notation, parameters: Parameters) -> None:
        self._notation = notation
        self._parameters = parameters
        self._pieces: list[str] = []
        self._size = 0
        self._tail = ""  # where an end marker may have begun
        self._searched = 0
        self._ends = 0
        self.text = notation.start
        """The whole group as it was written, once it is over."""
        self.calls: Calls = None
        """What it says, once it is over."""

    def feed(self, text: str) -> str | None:
        """Take the next piece; what comes after the group if it is over, None if it is not."""
        end = self._notation.end
        window = self._tail + text
        self._tail = window[1 - len(end) :]
        self._pieces.append(text)
        self._size += len(text)
        if end not in window and self._size <= MAX_CALL:
            return None
        body = "".join(self._pieces)
        self._pieces = [body]
        while 0 <= (at := body.find(end, self._searched)) <= MAX_CALL - len(end):
            self._searched = at + len(end)
            self._ends += 1
            calls = self._notation.read(body[:at], self._parameters)
            if not isinstance(calls, Unfinished) or self._ends > MAX_ENDS:
                self.calls = calls
                self.text += body[: self._searched]
                return body[self._searched :]
        if self._size <= MAX_CALL:
            return None
        self.text += body[:MAX_CALL]
        return body[MAX_CALL:]

    def close(self, *, read: bool) -> None:
        """The content ended without an end marker; `read` what there is, if it may be complete."""
        body = "".join(self._pieces)
        self.text += body
        if read:
            self.calls = self._notation.read(body, self._parameters)


class _ObjectGroup:
    """A JSON object without markers, as far as it has come; as `_Group`."""

    def __init__(self, notation: Notation, parameters: Parameters) -> None:
        self._notation = notation
        self._parameters = parameters
        self._scanner = ObjectScanner()
        self._scanner.feed(notation.start)
        self._pieces = [notation.start]
        self._size = 0
        self.text = ""
        self.calls: Calls = None

    def feed(self, text: str) -> str | None:
        """Take the next piece; what comes after the object if it is over, None if it is not."""
        at = min(self._scanner.feed(text), MAX_CALL - self._size)
        self._pieces.append(text[:at])
        self._size += at
        scanner = self._scanner
        if not (scanner.complete or scanner.broken) and self._size < MAX_CALL:
            return None
        self.close(read=False)
        if scanner.complete and self._size < MAX_CALL:
            self.calls = self._notation.read(self.text, self._parameters)
        return text[at:]

    def close(self, *, read: bool) -> None:  # noqa: ARG002 - an object that is cut is never a call
        """The content ended before the object did."""
        self.text = "".join(self._pieces)
