"""Recognising "the prompt does not fit", in every provider's words.

Claude Code compacts a conversation when it reads `prompt is too long: N tokens > M maximum`, and lowers
`max_tokens` when it reads ``input length and `max_tokens` exceed context limit: A + B > C``. It knows few
other wordings (observed with 2.1.197 and 2.1.330), so what providers say is translated into these two.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from claude_code_proxy.core.errors.fault import Fault

SAFETY_TOKENS = 64
"""Left free when the output limit is lowered: providers count a few tokens more than they report."""
MIN_OUTPUT_TOKENS = 1024
"""Less room than this is no room: the prompt itself counts as too long."""

OVERFLOW_CODES = frozenset(
    {
        "context_length_exceeded",
        "contextwindowexceedederror",
        "exceed_context_size_error",
        "model_max_prompt_tokens_exceeded",
        "outofcontexterror",
        "string_above_max_length",
        "too_many_prompt_tokens",
        "1261",
    }
)

# `n`: prompt tokens, `t`: prompt and output together, `k`: output asked for, `m`: the limit. The first
# match wins, so the wordings with most numbers come first.
_NUMBERED = tuple(
    re.compile(pattern.replace("#", r"\d[\d,]*"), re.IGNORECASE | re.DOTALL)
    for pattern in (
        # vLLM: the output limit alone breaks the window
        r"too large: (?P<k>#)\.? .*maximum context length is (?P<m>#) .*?has (?P<n>#) input tokens",
        # OpenAI, DeepSeek, vLLM
        r"maximum context length is (?P<m>#) tokens.*?\((?P<n>#) in the messages"
        r".*?(?P<k>#) in the completion",
        # OpenRouter
        r"maximum context length is (?P<m>#) tokens.*?\((?P<n>#) of text input"
        r"(?:, (?P<n2>#) of tool input)?,? .*?(?P<k>#) in the output",
        # SGLang
        r"maximum context length of (?P<m>#) tokens.*?(?P<n>#) tokens from the input"
        r".*?(?P<k>#) tokens for the",
        # Anthropic
        r"exceed context limit: (?P<n>#) \+ (?P<k>#) > (?P<m>#)",
        # text-generation-inference
        r"must be <= (?P<m>#)\. Given: (?P<n>#) .inputs. tokens and (?P<k>#) .max_new_tokens",
        r"maximum context length is (?P<m>#) tokens.*?(?:resulted in|your request has|prompt contains)"
        r"(?: at least)? (?P<n>#)",
        r"maximum context length is (?P<m>#) tokens.*?requested(?: about)? (?P<t>#)",
        r"configured limit of (?P<m>#) tokens.*?resulted in (?P<n>#)",
        r"prompt token count of (?P<n>#) exceeds the limit of (?P<m>#)",
        r"input \((?P<n>#) tokens\) is longer than the model's context length \((?P<m>#)",
        r"request \((?P<n>#) tokens\) exceeds the available context size \((?P<m>#)",
        r"input token count \(?(?P<n>#)\)? exceeds the maximum number of tokens allowed \(?(?P<m>#)",
        r"request (?P<n>#) input tokens exceeds the model's maximum context length (?P<m>#)",
        r"maximum prompt length is (?P<m>#) but the request contains (?P<n>#)",
        r"prompt contains (?P<n>#) tokens.*?model with (?P<m>#) maximum context length",
        # SiliconFlow
        r"length of prompt_tokens \((?P<n>#)\) must be less than max_seq_len \((?P<m>#)",
        r"requested input length (?P<n>#) exceeds maximum input length (?P<m>#)",
        r"prompt is too long: (?P<n>#) tokens? > (?P<m>#)",
        r"prompt is too long: (?P<n>#), model maximum context length: (?P<m>#)",
        r"exceeded model token limit: (?P<m>#) \(requested: (?P<t>#)\)",
        r"exceeded model token limit: (?P<m>#)",
        r"keep the first (?P<n>#) tokens.*?context length of only (?P<m>#)",
        r"context length of only (?P<m>#)",
        r"range of input length should be \[1, (?P<m>#)\]",
    )
)

_UNNUMBERED = re.compile(
    r"(?:exceed\w*|longer than|larger than|too \w+ for|overflow\w*|out of) (?:this |the |available )*"
    r"(?:model'?s? ?)?(?:maximum )?context (?:window|length|size)"
    r"|context (?:window|length|size) (?:has been |was |is )?exceed"
    r"|exceed\w* maximum context length"
    r"|prompt is (?:too long|longer than)"
    r"|prompt exceeds max length"
    r"|input (?:is|token length) too long"
    r"|total length of all messages is too long"
    r"|total message size \d+ exceeds limit"
    r"|exceed max message tokens"
    r"|too many (?:prompt |input )?tokens",
    re.IGNORECASE,
)


class Overflow(NamedTuple):
    """A prompt that does not fit: token counts as far as the provider tells them, else 0.

    `prompt` and `output` are what was sent and asked for, `limit` is the window.
    """

    prompt: int
    output: int
    limit: int

    @property
    def room(self) -> int:
        """How many output tokens would fit beside the prompt; 0 where the prompt is what is too long."""
        if not 0 < self.prompt < self.limit:
            return 0
        room = self.limit - self.prompt - SAFETY_TOKENS
        return room if room >= MIN_OUTPUT_TOKENS else 0


def find_overflow(fault: Fault) -> Overflow | None:
    """The overflow that `fault` reports, or None."""
    prompt, limit = fault.fields.get("n_prompt_tokens"), fault.fields.get("n_ctx")
    if isinstance(prompt, int) and isinstance(limit, int):
        return Overflow(prompt, 0, limit)
    for pattern in _NUMBERED:
        if found := pattern.search(fault.message):
            return _counts(found.groupdict())
    if not OVERFLOW_CODES.isdisjoint(fault.codes) or _UNNUMBERED.search(fault.message):
        return Overflow(0, 0, 0)
    return None


def _counts(groups: dict[str, str | None]) -> Overflow:
    numbers = {key: int(text.replace(",", "")) for key, text in groups.items() if text}
    prompt = numbers.get("n", 0) + numbers.get("n2", 0)
    return Overflow(prompt or numbers.get("t", 0), numbers.get("k", 0), numbers.get("m", 0))


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
    if not limit:
        if not prompt:
            return "prompt is too long"
        limit = prompt - 1
    if prompt <= limit:
        prompt = max(prompt + output, limit + 1)
    return f"prompt is too long: {prompt} tokens > {limit} maximum"
