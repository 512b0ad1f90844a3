"""Why an upstream's cache could not serve a prompt: what changed since the session's last request.

Only fingerprints are kept, in memory and bounded. Nothing of it runs before a request has been answered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from claude_code_proxy.core.bounded_map import BoundedMap
from claude_code_proxy.core.deltas import Usage
from claude_code_proxy.core.prompt_cache.prompt_marks import Fingerprints, PromptMarks, ToolLists
from claude_code_proxy.core.report import Notice
from claude_code_proxy.core.wire import Raw

MAX_CONVERSATIONS = 1024
_MAX_OF_ONE = 8
"""Conversations of one client that are told apart: Claude Code has several in one session."""
_LEAST = 1024
"""Tokens below which nothing is said: less than that no provider caches."""
_MOST_SHOWN = 200  # characters
_EDITS = frozenset(("context_edited", "compaction_emulated"))  # notices
_WORDS = {
    "model_changed": "model changed",
    "system_changed": "system prompt changed",
    "tools_changed": "tool list changed",
    "messages_changed": "messages changed",
    "context_edited": "old content was cleared (context_management)",
    "lost": "nothing changed: the provider no longer had it",
}


class CacheLoss(NamedTuple):
    """Tokens that were read again. `cause` is one of `_WORDS`, `where` says it more closely."""

    cause: str
    where: str
    tokens: int

    def __str__(self) -> str:
        what = f"{_WORDS[self.cause]}: {self.where}" if self.where else _WORDS[self.cause]
        return f"{what}, {self.tokens:,} tokens read again"


class _Last(NamedTuple):
    marks: PromptMarks
    tokens: int
    served: bool  # whether the cache gave most of what it could


class CacheProof:
    """Compares each prompt with the last one of its conversation."""

    def __init__(self) -> None:
        self._conversations: BoundedMap[int, list[_Last]] = BoundedMap(MAX_CONVERSATIONS)
        self._fingerprints = Fingerprints()
        self._tools = ToolLists()

    def look(
        self, who: int, fields: Mapping[str, Raw], usage: Usage, notices: Iterable[Notice] = ()
    ) -> CacheLoss | None:
        """What a prompt lost of the cache, by its request's `fields` and the `usage` that the upstream told.

        `who` says which conversations may be one: it hashes session, agent and class of the request.
        `notices` say whether the proxy cleared something of the prompt, which `fields` do not show.
        """
        marks = self._fingerprints.of(fields)
        if marks is None or not marks.messages:
            return None
        tools = fields.get("tools")
        self._tools.add(marks.tools, tools)
        known = self._conversations.get(who, [])
        last = _same_conversation(known, marks)
        read = usage.cache_read_input_tokens
        total = usage.input_tokens + read + usage.cache_creation_input_tokens
        kept = [one for one in known if one is not last]
        loss = None
        served = False
        if last is not None:
            again = last.tokens - read
            served = read * 2 >= last.tokens
            if again >= _LEAST and (found := self._change(last.marks, marks, tools)):
                loss = CacheLoss(*found, again)
            elif again >= _LEAST and last.served and not served:
                edited = any(notice.code in _EDITS for notice in notices)
                loss = CacheLoss("context_edited" if edited else "lost", "", again)
        self._conversations[who] = [*kept[1 - _MAX_OF_ONE :], _Last(marks, total, served)]
        return loss

    def _change(self, before: PromptMarks, now: PromptMarks, tools: Raw | None) -> tuple[str, str] | None:
        """Which part of a prompt changed, in the order in which providers read it."""
        if before.model != now.model:
            return "model_changed", ""
        if before.tools != now.tools:
            return "tools_changed", self._tools.change(before.tools, now.tools, tools)[:_MOST_SHOWN]
        if before.system != now.system:
            return "system_changed", ""
        if before.messages == now.messages[: len(before.messages)]:
            return None
        pairs = zip(before.messages, now.messages, strict=False)
        at = next((at for at, (was, is_) in enumerate(pairs) if was != is_), len(now.messages))
        return "messages_changed", f"from messages.{at} of {len(before.messages)} on"


def _same_conversation(known: list[_Last], marks: PromptMarks) -> _Last | None:
    """The last request of the conversation that `marks` goes on with.

    It begins with the same message; or it is all the same but that.
    """
    for last in reversed(known):
        if last.marks.messages[0] == marks.messages[0]:
            return last
    for last in reversed(known):
        rest = last.marks.messages[1:]
        if rest and rest == marks.messages[1 : len(last.marks.messages)]:
            return last
    return None
