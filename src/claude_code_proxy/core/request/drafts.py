"""Messages as they were read, before calls and results are paired (`core.request.pairing`)."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from claude_code_proxy.core.conversation import CacheMark, File, Image, Instruction, Part, Text, Thinking
from claude_code_proxy.core.report import Report


class CallDraft(Struct):
    """A `tool_use` block with the client's id and name."""

    id: str
    name: str
    arguments: str
    path: str


class ResultDraft(Struct):
    """A `tool_result` block with the client's id."""

    id: str
    parts: tuple[Part, ...]
    is_error: bool
    cached: CacheMark
    path: str


UserItem: TypeAlias = "Text | Image | File | Instruction | ResultDraft"
AssistantItem: TypeAlias = "Text | Thinking | CallDraft"


class UserDraft(Struct):
    """One or more user messages in a row."""

    items: list[UserItem]
    path: str


class AssistantDraft(Struct):
    """One or more assistant messages in a row."""

    items: list[AssistantItem]
    path: str


Draft: TypeAlias = UserDraft | AssistantDraft


class Drafts:
    """Collects messages so that roles alternate and no turn is empty."""

    def __init__(self, report: Report) -> None:
        self.turns: list[Draft] = []
        self._report = report

    def user(self, items: list[UserItem], path: str) -> None:
        """Add a user message; one directly after another belongs to the same turn."""
        if not items:
            self._report.dropped("empty_message", path, "a message without content", quiet=True)
            return
        self.drop_unsaid()
        last = self.turns[-1] if self.turns else None
        if isinstance(last, UserDraft):
            last.items.extend(items)
        else:
            self.turns.append(UserDraft(items, path))

    def assistant(self, items: list[AssistantItem], path: str) -> None:
        """Add an assistant message; one directly after another belongs to the same turn."""
        if not items:
            self._report.dropped("empty_message", path, "a message without content", quiet=True)
            return
        last = self.turns[-1] if self.turns else None
        if isinstance(last, AssistantDraft):
            last.items.extend(items)
        else:
            self.turns.append(AssistantDraft(items, path))

    def drop_unsaid(self) -> None:
        """Take back a last assistant turn that holds thinking only: no upstream takes such a message."""
        last = self.turns[-1] if self.turns else None
        if not isinstance(last, AssistantDraft) or not isinstance(last.items[0], Thinking):
            return
        if all(isinstance(item, Thinking) for item in last.items):
            self.turns.pop()
            self._report.dropped(
                "unsaid_thinking", last.path, "an assistant message that holds only thinking"
            )
