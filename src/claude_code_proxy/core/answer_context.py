"""What the answer to a request must know of the request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from claude_code_proxy.core.deltas import Compaction, WebFetch, WebSearch
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.errors.context import ErrorContext
from claude_code_proxy.core.tokens.text_features import default_tokens


@dataclass(frozen=True, slots=True)
class AnswerLimits:
    """How much of one answer may be held: bytes of an event, characters of one call's arguments, calls."""

    event_bytes: int = 32 << 20
    tool_arguments: int = 16 << 20
    tool_calls: int = 1000

    def check_arguments(self, size: int) -> None:
        """Raises `ApiError` for a call with `size` characters of arguments, if they are too many."""
        if size > self.tool_arguments:
            raise too_much(f"more than {self.tool_arguments} characters of arguments for one tool call")

    def check_calls(self, count: int) -> None:
        """Raises `ApiError` for an answer with `count` calls, if they are too many."""
        if count > self.tool_calls:
            raise too_much(f"more than {self.tool_calls} tool calls or other parts in one response")


def too_much(what: str) -> ApiError:
    """The error for an upstream that sends more than anybody should have to hold."""
    return ApiError(502, "api_error", f"the upstream sent {what}")


DEFAULT_LIMITS = AnswerLimits()
"""Those of whoever does not say any."""


@dataclass(
    slots=True, kw_only=True
)  # not frozen: each request makes one, which would take three times as long
class ReplyContext:
    """The side of a request that shapes its answer.

    `model` is echoed as the client wrote it. `tool_names` maps every upstream tool name to the client's.
    `used_tool_ids` are the ids that occur in the conversation: Claude Code drops a call whose id it has
    seen before. `stop_sequences` are all the client asked for; those in `local_stop_sequences` the proxy
    must find by itself. `show_thinking` is false when the client did not ask for thinking;
    `hide_thinking_text` when it asked for `display: omitted`. `input_tokens` is the local estimate, used
    in `message_start` and where the upstream sends no usage; `count` makes tokens of packed counts for the
    output then. `max_tokens` is the output limit that went
    upstream, 0 for none. `errors` is for error texts. `web_search` is the client's name for the web search
    that the provider runs, "" if it asked for none. `tool_parameters` are the tools' JSON Schemas by upstream
    name, given only where calls may arrive as text. `left_out_arguments` are those, by the client's name of
    the tool, that are left out of a call where they are empty. `looked_up` was found for the model before it
    was asked, and stands before its answer. `begun`: the client has had `message_start` already. `iterations`
    are the entries of `usage.iterations` before the answer's own; None: the client wants none. `may_repeat`:
    the caller sends the request again where a response came to nothing. `fields` are further ones of the
    message. `applied_edits` are those of `context_management`, None where none were asked for. `limits` bound
    what is held of the answer.
    """

    model: str
    message_id: str
    tool_names: Mapping[str, str] = field(default_factory=dict)
    used_tool_ids: frozenset[str] = frozenset()
    stop_sequences: tuple[str, ...] = ()
    local_stop_sequences: tuple[str, ...] = ()
    show_thinking: bool = True
    hide_thinking_text: bool = False
    input_tokens: int = 0
    count: Callable[[int], float] = default_tokens
    max_tokens: int = 0
    errors: ErrorContext = field(default_factory=ErrorContext)
    web_search: str = ""
    tool_parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    left_out_arguments: Mapping[str, frozenset[str]] = field(default_factory=dict)
    looked_up: tuple[WebSearch | WebFetch | Compaction, ...] = ()
    begun: bool = False
    iterations: tuple[dict[str, Any], ...] | None = None
    may_repeat: bool = False
    fields: Mapping[str, Any] = field(default_factory=dict)
    applied_edits: Sequence[Mapping[str, Any]] | None = None
    limits: AnswerLimits = DEFAULT_LIMITS
