"""A conversation in neutral terms, between the Anthropic request and an upstream's format.

`core.request.read` builds these from a Messages request; an encoder (`core.openai.chat.encode`) writes
them in its provider's format. Everything here is already repaired: roles alternate, every call has its
result in the user turn that follows, ids and names are the upstream's, nothing is empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from msgspec import Struct

from claude_code_proxy.core.continuity import SealedReasoning
from claude_code_proxy.core.providers.profile import Effort

CacheMark: TypeAlias = Literal["", "5m", "1h"]
"""How long the provider shall keep what comes up to here in its cache; "" is no mark."""


class Marked(Protocol):
    """What may have a cache mark."""

    @property
    def cached(self) -> CacheMark:
        """The mark that stood on it."""


def longest_mark(parts: Iterable[Marked]) -> CacheMark:
    """The mark for what several parts became."""
    found = {part.cached for part in parts}
    return "1h" if "1h" in found else "5m" if "5m" in found else ""


class Text(Struct, frozen=True, gc=False):
    """Text; `cached` is the cache mark that stood on it."""

    text: str
    cached: CacheMark = ""


class Instruction(Struct, frozen=True, gc=False):
    """The text of a system message in the middle of the conversation, to be kept where it stands."""

    text: str
    cached: CacheMark = ""


def reminder(text: str) -> str:
    """A system message as text in the user's turn, in the form that Claude Code's own reminders have."""
    return f"<system-reminder>\n{text}\n</system-reminder>"


class Image(Struct, frozen=True, gc=False):
    """An image: a `data:` URL or the URL the client gave."""

    url: str
    cached: CacheMark = ""


class File(Struct, frozen=True, gc=False):
    """A PDF: a `data:` URL, or the URL the client gave."""

    filename: str
    url: str
    cached: CacheMark = ""


Part: TypeAlias = Text | Image | File
UserPart: TypeAlias = Text | Image | File | Instruction


class Thinking(Struct, frozen=True):
    """Earlier reasoning: its readable text and, if the same provider sealed it, what it wants back."""

    text: str
    sealed: SealedReasoning | None = None


class ToolCall(Struct, frozen=True):
    """A tool call: `arguments` is the text of a JSON object, `extra` travels back beside the call."""

    id: str
    name: str
    arguments: str
    extra: Any = None


AssistantPart: TypeAlias = Text | Thinking | ToolCall


class ToolResult(Struct, frozen=True):
    """The result of the call `id` of the assistant turn before."""

    id: str
    parts: tuple[Part, ...]
    is_error: bool = False
    cached: CacheMark = ""


class UserTurn(Struct, frozen=True):
    """Results first, in the order of the calls, then what the user and the system say."""

    results: tuple[ToolResult, ...]
    parts: tuple[UserPart, ...]


class AssistantTurn(Struct, frozen=True):
    """What the model said, thought and called, in its own order."""

    parts: tuple[AssistantPart, ...]


Turn: TypeAlias = UserTurn | AssistantTurn


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool the model may call; `name` is the upstream's, `parameters` a JSON Schema of an object."""

    name: str
    description: str
    parameters: dict[str, Any]
    strict: bool = False


@dataclass(frozen=True, slots=True)
class PreparedTools:
    """The tools that go upstream, in each form that a request needs; requests may share one.

    `encoded` is the upstream's form of each tool, of which no part may be changed, and `written` its JSON.
    """

    tools: tuple[Tool, ...] = ()
    encoded: tuple[dict[str, Any], ...] = ()
    written: bytes = b"[]"

    def __bool__(self) -> bool:
        return bool(self.tools)


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Whether and which tool must be called; `name` is the upstream's, for kind `tool` only."""

    kind: Literal["auto", "any", "tool", "none"]
    name: str = ""


@dataclass(frozen=True, slots=True)
class WebSearch:
    """The provider's own web search, where the client asked for Anthropic's under the name `name`.

    `location` is the API's `user_location` object; both APIs write it alike.
    """

    name: str
    allowed_domains: tuple[str, ...] = ()
    location: dict[str, Any] | None = None


class ThinkingSettings(Struct, frozen=True, gc=False):
    """Whether and how hard the model is to think, by the request and by what the profile forces.

    A request that says nothing of thinking wants none. `budget` is in tokens. `asked`: the request has the
    field. `client_on` and `hide_text` are the request's alone and decide what the client sees.
    """

    on: bool = False
    effort: Effort | None = None
    budget: int | None = None
    asked: bool = False
    client_on: bool = False
    hide_text: bool = False


class Conversation(Struct, kw_only=True):
    """One request. `max_tokens` is already within the profile's limit; `extra` goes upstream as it is.

    `temperature`, `top_p` and `top_k` are None where they are not given.

    `stop_sequences` are clean and unique. `tool_names` maps upstream tool names back, `used_tool_ids` are
    the client's. `left_out_arguments`, by the client's name of the tool, are left out of the model's calls
    where empty.
    """

    system: tuple[Text, ...]
    turns: tuple[Turn, ...]
    tools: PreparedTools
    web_search: WebSearch | None
    tool_choice: ToolChoice | None
    parallel_tools: bool
    thinking: ThinkingSettings
    temperature: float | None
    top_p: float | None
    top_k: int | None
    max_tokens: int
    stop_sequences: tuple[str, ...]
    stream: bool | None
    output_schema: dict[str, Any] | None
    user_id: str
    session_id: str
    service_tier: str
    tool_names: Mapping[str, str]
    used_tool_ids: frozenset[str]
    left_out_arguments: Mapping[str, frozenset[str]]
    extra: Mapping[str, Any]
