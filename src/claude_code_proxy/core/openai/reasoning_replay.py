"""Which earlier turns carry their reasoning back to the upstream."""

from __future__ import annotations

from collections.abc import Sequence

from claude_code_proxy.core.conversation import Conversation, Turn, UserTurn
from claude_code_proxy.core.providers.profile import Profile


def first_turn_with_reasoning(conversation: Conversation, profile: Profile) -> int:
    """The index of the first turn whose reasoning is sent back."""
    return _start_of_last_exchange(conversation.turns) if profile.reasoning_scope == "last_turn" else 0


def _start_of_last_exchange(turns: Sequence[Turn]) -> int:
    """The index of the last user turn that answers no tool call."""
    for index in range(len(turns) - 1, -1, -1):
        turn = turns[index]
        if isinstance(turn, UserTurn) and not turn.results:
            return index
    return 0
