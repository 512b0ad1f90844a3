"""Recognising "the prompt does not fit", in every provider's words.

Claude Code compacts a conversation when it reads `prompt is too long: N tokens > M maximum`, and lowers
`max_tokens` when it reads ``input length and `max_tokens` exceed context limit: A + B > C``. It knows few
other wordings (observed with 2.1.197 and 2.1.330), so what providers say is translated into these two.
"""

from __future__ import annotations

from typing import NamedTuple

from claude_code_proxy.core.errors.fault import Fault
from claude_code_proxy.core.errors.overflow_words import read_overflow

SAFETY_TOKENS = 64
"""Left free when the output limit is lowered: providers count a few tokens more than they report."""
MIN_OUTPUT_TOKENS = 1024
"""Less room than this is no room: the prompt itself counts as too long."""

OVERFLOW_CODES = frozenset((
    "context_length_exceeded", "contextwindowexceedederror", "exceed_context_size_error",
    "model_max_prompt_tokens_exceeded", "outofcontexterror", "tokens_limit_reached", "too_many_prompt_tokens",
    "1261",
))  # fmt: skip

_PROMPT_PARAMS = ("messages", "input", "contents", "prompt", "system", "instructions")


class Overflow(NamedTuple):
    """A prompt that does not fit: token counts as far as the provider gives them, else 0.

    `prompt` and `output` are what was sent and asked for, `limit` is the window, `excess` what is too much.
    """

    prompt: int = 0
    output: int = 0
    limit: int = 0
    excess: int = 0

    @property
    def room(self) -> int:
        """How many output tokens would fit beside the prompt; 0 where the prompt is what is too long."""
        room = self.limit - self.prompt - SAFETY_TOKENS
        return room if self.prompt > 0 and room >= MIN_OUTPUT_TOKENS else 0


def find_overflow(fault: Fault) -> Overflow | None:
    """The overflow that `fault` reports, or None."""
    prompt, limit = fault.fields.get("n_prompt_tokens"), fault.fields.get("n_ctx")
    if isinstance(prompt, int) and isinstance(limit, int):
        return Overflow(prompt, 0, limit)
    if "string_above_max_length" in fault.codes:  # of any field, in characters
        return Overflow() if fault.param.startswith(_PROMPT_PARAMS) else None
    counts = read_overflow(fault.message)
    if counts is None:
        return None if OVERFLOW_CODES.isdisjoint(fault.codes) else Overflow()
    if str(counts.limit) in fault.codes:
        counts = counts._replace(limit=0)
    return Overflow(*counts)


def overflow_message(overflow: Overflow, *, estimate: int, max_tokens: int, window: int | None) -> str:
    """The wording Claude Code acts on.

    `estimate` is our own count of the prompt, `max_tokens` the output limit that was sent (0: unknown),
    `window` the configured context window. Numbers the provider did not give are filled in from these; the
    first number is always above the second, since the client trusts the difference.
    """
    output = overflow.output or max_tokens
    if overflow.room and output:
        return (
            f"input length and `max_tokens` exceed context limit: {overflow.prompt} + {output} > "
            f"{overflow.limit}, decrease input length or `max_tokens` and try again"
        )
    prompt, limit = overflow.prompt or estimate, overflow.limit or window or 0
    if overflow.excess and not overflow.prompt:
        limit = limit or max(estimate - overflow.excess, 0)
        prompt = limit + overflow.excess if limit else prompt
    if not limit:
        if not prompt:
            return "prompt is too long"
        limit = prompt - 1
    if prompt <= limit:
        prompt = max(prompt + output, limit + 1)
    return f"prompt is too long: {prompt} tokens > {limit} maximum"
