"""An answer in the shapes of OpenAI Chat Completions: one document, or a stream of chunks, with usage."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from claude_code_proxy.core import wire
from claude_code_proxy.demo.rules import Answer, Call

_BYTES_PER_TOKEN = 4
_IMAGE_TOKENS = 300
_CACHE_BLOCK = 64  # providers cache prompts in blocks of this order
_CACHE_SIZE = 16
_INLINE_IMAGE = re.compile(rb"data:image/[^\"]*")
_WORD = re.compile(r"\s*\S+|\s+\Z")
_ARGUMENT_PIECE = 12


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer as the model would produce it: cut into tokens, within the request's limits."""

    id: str
    created: int
    model: str
    reasoning: tuple[str, ...]
    text: tuple[str, ...]
    calls: tuple[dict[str, Any], ...]
    finish_reason: str
    usage: dict[str, Any]

    def document(self) -> dict[str, Any]:
        """The answer to a request without `stream`."""
        message: dict[str, Any] = {
            "role": "assistant",
            "content": "".join(self.text) or None,
            "refusal": None,
        }
        if self.reasoning:
            message["reasoning_content"] = "".join(self.reasoning)
        if self.calls:
            message["tool_calls"] = list(self.calls)
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish_reason}
        return {**self._head("chat.completion"), "choices": [choice], "usage": self.usage}

    def chunks(self, *, include_usage: bool) -> Iterator[dict[str, Any]]:
        """The answer to a request with `stream`, chunk by chunk; the usage last, with no choices."""
        yield self._chunk({"role": "assistant", "content": ""})
        for piece in self.reasoning:
            yield self._chunk({"reasoning_content": piece})
        for piece in self.text:
            yield self._chunk({"content": piece})
        for index, call in enumerate(self.calls):
            arguments = call["function"]["arguments"]
            opening = {**call, "index": index, "function": {**call["function"], "arguments": ""}}
            yield self._chunk({"tool_calls": [opening]})
            for start in range(0, len(arguments), _ARGUMENT_PIECE):
                part = arguments[start : start + _ARGUMENT_PIECE]
                yield self._chunk({"tool_calls": [{"index": index, "function": {"arguments": part}}]})
        yield self._chunk({}, self.finish_reason)
        if include_usage:
            yield {**self._head("chat.completion.chunk"), "choices": [], "usage": self.usage}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return {**self._head("chat.completion.chunk"), "choices": [choice]}


def complete(
    answer: Answer, request: Mapping[str, Any], *, number: int, created: int, prompt: PromptCount
) -> Completion:
    """Cut `answer` to the request's stop sequences and token limit.

    `number` makes the ids of this completion unique; `created` is a Unix time in seconds.
    """
    limit = request.get("max_completion_tokens") or request.get("max_tokens")
    text, stopped = _stop(answer.text, request.get("stop"))
    reasoning = tuple(_WORD.findall(answer.reasoning))
    words = tuple(_WORD.findall(text))
    # The time keeps ids apart over a restart in the middle of a conversation.
    identity = f"{created:x}_{number}"
    calls: tuple[dict[str, Any], ...] = ()
    if not stopped:
        calls = tuple(_wire_call(f"call_{identity}_{index}", call) for index, call in enumerate(answer.calls))
    called = sum(1 + len(call["function"]["arguments"]) // _BYTES_PER_TOKEN for call in calls)
    finish_reason = "tool_calls" if calls else "stop"
    if limit is not None and len(reasoning) + len(words) + called > limit:
        reasoning = reasoning[:limit]
        words = words[: limit - len(reasoning)]
        calls, called, finish_reason = (), 0, "length"
    produced = len(reasoning) + len(words) + called
    usage = {
        "prompt_tokens": prompt.tokens,
        "completion_tokens": produced,
        "total_tokens": prompt.tokens + produced,
        "prompt_tokens_details": {"cached_tokens": prompt.cached},
        "completion_tokens_details": {"reasoning_tokens": len(reasoning)},
    }
    return Completion(
        f"chatcmpl-{identity}", created, request["model"], reasoning, words, calls, finish_reason, usage
    )


def _wire_call(id: str, call: Call) -> dict[str, Any]:  # noqa: A002 - the wire's own name
    function = {"name": call.name, "arguments": wire.dumps_text(call.arguments)}
    return {"id": id, "type": "function", "function": function}


def _stop(text: str, stop: str | list[str] | None) -> tuple[str, bool]:
    """`text` up to the first stop sequence in it, and whether there was one."""
    sequences = [stop] if isinstance(stop, str) else stop or []
    ends = [place for sequence in sequences if sequence and (place := text.find(sequence)) >= 0]
    return (text[: min(ends)], True) if ends else (text, False)


@dataclass(frozen=True, slots=True)
class PromptCount:
    """A prompt's size in tokens, and how many of them the cache already held."""

    tokens: int
    cached: int


@dataclass(slots=True)
class PromptCache:
    """Counts prompts, and knows which beginning of one was seen before, as providers' prompt caches do.

    So a proxy that keeps prefixes stable sees its cached tokens grow here too.
    """

    prompts: list[bytes] = field(default_factory=list)

    def count(self, request: Mapping[str, Any]) -> PromptCount:
        """Count the prompt of `request` (four bytes to the token, images at a flat rate) and remember it."""
        prompt = wire.dumps([request["model"], request.get("tools"), *request["messages"]])
        prompt, images = _INLINE_IMAGE.subn(b"", prompt)
        shared = max((_shared_prefix(prompt, earlier) for earlier in self.prompts), default=0)
        self.prompts = [*self.prompts[1 - _CACHE_SIZE :], prompt]
        cached = shared // _BYTES_PER_TOKEN // _CACHE_BLOCK * _CACHE_BLOCK
        return PromptCount(len(prompt) // _BYTES_PER_TOKEN + images * _IMAGE_TOKENS, cached)


def _shared_prefix(left: bytes, right: bytes) -> int:
    """The length of the longest common prefix, by bisection: slices compare at memory speed."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
