"""Why a response ended: the words of providers, `finish_reason` and `incomplete_details.reason`.

A word is read by its parts, in any case and notation (`MAX_TOKENS`, `maxTokens`, `content_filter: hate`):
providers invent new ones, and the words of Gemini, Cohere, watsonx and Bedrock come through gateways.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

from claude_code_proxy.core.deltas import Finish, StopReason
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.errors.context import ErrorContext
from claude_code_proxy.core.errors.upstream import read_error

_LONGEST_WORD = 80
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_END_OF_HEAD = re.compile(r"[:;,(\s]")


class _Rule(NamedTuple):
    """Matches a word with a part in `any_of` and, if `beside` is not empty, one in that too.

    `stop` is the stop reason it means; None: the response failed, and `code` is an error code for it.
    """

    stop: StopReason | None
    code: str
    any_of: frozenset[str]
    beside: frozenset[str] = frozenset()


def _rule(stop: StopReason | None, code: str, any_of: str, beside: str = "") -> _Rule:
    return _Rule(stop, code, frozenset(any_of.split()), frozenset(beside.split()))


_VAGUE = "server_error"
_RULES = (
    _rule(None, "malformed_function_call", "malformed unparsable unparseable"),
    _rule(
        None,
        "malformed_function_call",
        "invalid unexpected bad many",
        "tool tools function functions call calls output json response",
    ),
    _rule(None, "malformed_function_call", "failed failure error", "tool tools function functions"),
    _rule(
        "refusal",
        "",
        "filter filtered filtering safety unsafe sensitive refusal refused blocklist blocklisted blocked "
        "prohibited recitation spii pii guardrail guardrails moderation moderated toxic toxicity policy "
        "violation armor harmful harm copyright censored jailbreak language flagged",
    ),
    _rule(None, "rate_limit_exceeded", "rate throttled throttling throttle quota"),
    _rule("model_context_window_exceeded", "", "context window"),
    _rule("model_context_window_exceeded", "", "model prompt input", "length long tokens limit"),
    _rule("max_tokens", "", "length truncated truncation repetition"),
    _rule(
        "max_tokens", "", "max maximum limit budget", "token tokens output len predicted completion reached"
    ),
    _rule(None, "timeout_error", "timeout timed deadline time"),
    _rule(
        None, "overloaded_error", "overloaded overload capacity busy resource resources unavailable exhausted"
    ),
    _rule(
        None,
        _VAGUE,
        "error errors failed failure fail abort aborted cancel cancelled canceled network crash crashed "
        "internal exception killed interrupted disconnected exceeded load unload unloaded missing incomplete",
    ),
    _rule("tool_use", "", "tool tools function functions"),
    _rule("end_turn", "", "stop stopped eos end ended complete completed done finished normal"),
)
"""The first that matches counts, so what failed or was refused stands before what ended well."""


def stop_reason(word: str) -> StopReason | None:
    """The stop reason that `word` means; None where it means a failure or is unknown."""
    rule = _match(word[:_LONGEST_WORD])
    return rule.stop if rule else None


def read_finish(word: str, context: ErrorContext, native: object = None) -> Finish | ApiError:
    """How a response with this finish word ended: well enough, or with an error.

    `native` is the word of the provider behind a gateway, which says more than the gateway's `error`
    (OpenRouter's `native_finish_reason`). An unknown word is an `end_turn` that names it (`Finish.unknown`).
    """
    rule = _match(word[:_LONGEST_WORD])
    if (rule is None or rule.code == _VAGUE) and isinstance(native, str) and native:
        rule = _match(native[:_LONGEST_WORD]) or rule
        word = f"{word} ({native})"
    if rule is None:
        return Finish("end_turn", unknown=word[:_LONGEST_WORD])
    if rule.stop is not None:
        return Finish(rule.stop)
    message = f"the upstream ended the response with finish_reason {word[:_LONGEST_WORD]!r}"
    error = {"message": message, "code": "_".join(_parts(_head(word))), "type": rule.code}
    return read_error(200, {}, {"error": error}, context)


def overflow(context: ErrorContext) -> ApiError:
    """The error for a response that is empty because its prompt fills the context window."""
    return read_error(200, {}, {"error": {"message": "", "code": "context_length_exceeded"}}, context)


def stop_sequence(choice: dict[str, Any]) -> str | None:
    """The matched stop sequence where the server names it (vLLM, SGLang, llama.cpp)."""
    if _STOP_FIELDS.isdisjoint(choice):
        return None
    for field in _STOP_FIELDS:
        value = choice.get(field)
        if isinstance(value, str) and value and value.lower() not in _PLAIN_ENDS:
            return value
    return None


_STOP_FIELDS = dict.fromkeys(("stop_reason", "matched_stop", "stopping_word")).keys()
_PLAIN_ENDS = frozenset(("stop", "eos", "eos_token", "end_turn", "stop_sequence", "tool_calls", "length"))
"""Finish words that some servers repeat where others name the stop sequence."""


def _head(word: str) -> str:
    """`word` without what it says further: `InsufficientQuota` of `InsufficientQuota: pay first`."""
    return _END_OF_HEAD.split(word.strip(), maxsplit=1)[0]


def _parts(text: str) -> list[str]:
    """The parts of a word in lower case: `insufficient` and `quota` of `InsufficientQuota`."""
    return [part.lower() for part in _PART.findall(text)]


@lru_cache(maxsize=256)
def _match(word: str) -> _Rule | None:
    rule = _match_parts(_head(word))
    return rule if rule is not None and rule.code != _VAGUE else _match_parts(word) or rule


def _match_parts(text: str) -> _Rule | None:
    parts = set(_parts(text))
    for rule in _RULES:
        if parts & rule.any_of and (not rule.beside or parts & rule.beside):
            return rule
    return None
