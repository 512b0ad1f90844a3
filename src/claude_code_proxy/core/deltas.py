"""The neutral vocabulary between an upstream's wire format and the Anthropic answer.

A wire decoder (`core.openai.chat.decode`) turns upstream chunks, or one whole answer, into these;
`core.answer.writer` turns these into Anthropic events. Nothing here knows either format.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

from claude_code_proxy.core.errors.api import ApiError

StopReason = Literal[
    "end_turn", "tool_use", "max_tokens", "stop_sequence", "refusal", "model_context_window_exceeded"
]


class Text(NamedTuple):
    """A piece of the visible answer."""

    text: str


class Reasoning(NamedTuple):
    """A piece of readable reasoning."""

    text: str


class ReasoningState(NamedTuple):
    """Opaque reasoning the provider wants back, to be sealed into a thinking block's signature.

    `kind` names its shape ("rd": reasoning_details objects, "ri": a Responses reasoning item). States of
    one kind that arrive while no other block was opened in between are sealed together, in order.
    """

    kind: str
    items: list[Any]


class ToolStart(NamedTuple):
    """A tool call with a name. `key` identifies it within the answer; `id` is the provider's, if any.

    `extra` is what must travel back beside the call (Gemini's thought signature).
    """

    key: int
    id: str
    name: str
    extra: Any = None


class ToolArguments(NamedTuple):
    """A piece of the argument JSON of the call `key`, as the model wrote it."""

    key: int
    text: str


class Page(NamedTuple):
    """A web page. `title` may be empty; `age` is when it was published, in the provider's words.

    `text` is what of the page is known: a search's extract, or all of it.
    """

    url: str
    title: str = ""
    age: str | None = None
    text: str = ""


class WebSearch(NamedTuple):
    """A web search that the provider itself has run, whole. `key` as in `ToolStart`.

    `pages` are what it found; None says that the search failed.
    """

    key: int
    query: str
    pages: tuple[Page, ...] | None

    @property
    def name(self) -> str:
        """The tool's usual name."""
        return "web_search"

    @property
    def input(self) -> dict[str, str]:
        """What the tool was called with."""
        return {"query": self.query}

    @property
    def failed(self) -> bool:
        """Whether nothing came of it."""
        return self.pages is None


class WebFetch(NamedTuple):
    """A page that was fetched for the model, whole. `error` is Anthropic's error code where that failed.

    `retrieved_at` is the time in ISO 8601.
    """

    key: int
    page: Page
    retrieved_at: str = ""
    error: str = ""

    @property
    def name(self) -> str:
        """The tool's usual name."""
        return "web_fetch"

    @property
    def input(self) -> dict[str, str]:
        """What the tool was called with."""
        return {"url": self.page.url}

    @property
    def failed(self) -> bool:
        """Whether nothing came of it."""
        return bool(self.error)


class Compaction(NamedTuple):
    """What stands for the conversation so far: a summary; None where none came of it.

    `tool_changes` are those of the conversation. `at_once`: the block is whole when it starts (SDK 2.14's
    `compaction` parameter), else one `compaction_delta` has the summary (`compact_20260112`).
    """

    content: str | None
    tool_changes: tuple[dict[str, Any], ...] = ()
    at_once: bool = False

    @property
    def block(self) -> dict[str, Any]:
        """The whole block."""
        changes = {"tool_changes": [*self.tool_changes]} if self.tool_changes else {}
        return {"type": "compaction", "content": self.content, **changes}

    @property
    def start(self) -> dict[str, Any]:
        """The block as it starts."""
        return self.block if self.at_once else {**self.block, "content": None}

    @property
    def deltas(self) -> list[tuple[str, str, str]]:
        """What follows, as the type, the field and the value of each delta."""
        whole = self.at_once or self.content is None
        return [] if whole else [("compaction_delta", "content", self.content or "")]


class Citation(NamedTuple):
    """The visible answer refers to a page. `text` is what it says there, as far as the provider tells."""

    page: Page
    text: str = ""


class Refusal(NamedTuple):
    """A piece of a refusal text: shown like text, and the answer ends as refused."""

    text: str


class Usage(NamedTuple):
    """Token counts so far; cumulative, the last one wins. The four prompt and output numbers are disjoint."""

    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    thinking_tokens: int | None = None


class Finish(NamedTuple):
    """The provider says why it stopped. Usage and even content may still follow.

    `unknown` is its word where nobody knows what it means; `reason` is then a guess.
    """

    reason: StopReason
    stop_sequence: str | None = None
    unknown: str = ""


class Failure(NamedTuple):
    """The provider reports an error, or what it sent cannot be trusted."""

    error: ApiError


Delta: TypeAlias = (
    Text
    | Reasoning
    | ReasoningState
    | ToolStart
    | ToolArguments
    | WebSearch
    | WebFetch
    | Compaction
    | Citation
    | Refusal
    | Usage
    | Finish
    | Failure
)
