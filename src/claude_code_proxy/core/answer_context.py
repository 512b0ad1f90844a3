"""What the answer to a request must know of the request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from claude_code_proxy.core.errors.context import ErrorContext

if TYPE_CHECKING:
    from collections.abc import Mapping


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
    in `message_start` and where the upstream sends no usage. `max_tokens` is the output limit that went
    upstream, 0 for none. `errors` is for error texts. `web_search` is the client's name for the web search
    that the provider runs, "" if it asked for none. `tool_parameters` are the tools' JSON Schemas by upstream
    name, given only where calls may arrive as text. `may_repeat`: the caller sends the request again where a
    response came to nothing.
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
    max_tokens: int = 0
    errors: ErrorContext = field(default_factory=ErrorContext)
    web_search: str = ""
    tool_parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    may_repeat: bool = False
