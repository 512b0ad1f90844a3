"""A Messages request becomes a `Conversation`.

Everything the request may hold is named here: a field that is carried over has a reader, one that is not
has a line in a table with the reason, and one nobody knows is dropped with a notice, never an error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from claude_code_proxy.core.conversation import (
    Conversation,
    Instruction,
    PreparedTools,
    Text,
    Tool,
    longest_mark,
    reminder,
)
from claude_code_proxy.core.errors.api import ApiError, invalid_request
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Report
from claude_code_proxy.core.request import options
from claude_code_proxy.core.request.blocks import ContentReader, Summary, is_summary
from claude_code_proxy.core.request.drafts import Drafts, UserDraft
from claude_code_proxy.core.request.fields import (
    boolean_or_none,
    has_results,
    kind_of,
    list_or_none,
    number_or_none,
    object_or_none,
    only_results,
    text_or_empty,
    whole_or_none,
)
from claude_code_proxy.core.request.media import PdfText
from claude_code_proxy.core.request.pairing import pair
from claude_code_proxy.core.request.thinking import read_thinking
from claude_code_proxy.core.request.tool_cache import ToolCache
from claude_code_proxy.core.request.tools import ToolSet
from claude_code_proxy.core.wire import type_of

BILLING_PREFIX = "x-anthropic-billing-header:"
"""Claude Code's first system block: transport metadata that differs per conversation, no instruction."""
GO_ON = "Go on from this summary, as if nothing had been interrupted: do what the user wants of you next."
"""What the user says where a summary is all that there is."""


def parse(
    body: Any,
    profile: Profile,
    report: Report,
    *,
    prepare: Callable[[tuple[Tool, ...]], PreparedTools],
    cache: ToolCache | None = None,
    pdf_text: Callable[[str], PdfText] | None = None,
) -> Conversation:
    """Read the JSON value of a Messages request; `prepare` and `cache` are what `ToolSet` takes.

    `pdf_text` is what `core.request.media.Media` takes. Raises `ApiError` 400, whose message starts with
    the JSON path, for a request that cannot be served; takes any JSON value without failing otherwise.
    """
    if not isinstance(body, dict):
        raise invalid_request(f"the request must be a JSON object, found {kind_of(body)}")
    _refuse_unservable(body)
    tools = ToolSet(list_or_none(body, "tools", "tools") or [], profile, report, prepare, cache)
    model = text_or_empty(body, "model")
    reader = ContentReader(profile, report, pdf_text, model)
    tools.loaded = reader.referenced
    messages = _Messages(profile, report, tools, reader)
    messages.read(body)
    names = tools.names
    turns, refused = pair(messages.drafts.turns, names, profile, model, report)
    sent_tools = tools.selected()
    tool_choice = object_or_none(body, "tool_choice", "tool_choice")
    output_config = object_or_none(body, "output_config", "output_config") or {}
    user_id, session_id = options.identity(body)
    effort = messages.effort if messages.effort is not None else output_config.get("effort")
    return Conversation(
        system=tuple(messages.system),
        turns=turns,
        tools=sent_tools,
        web_search=tools.web_search,
        tool_choice=tools.choice(tool_choice, sent_tools),
        parallel_tools=not (tool_choice and tool_choice.get("disable_parallel_tool_use") is True),
        thinking=read_thinking(object_or_none(body, "thinking", "thinking"), effort, profile, report),
        temperature=number_or_none(body, "temperature"),
        top_p=number_or_none(body, "top_p"),
        top_k=whole_or_none(body, "top_k", "top_k"),
        max_tokens=options.max_tokens(body, profile, report),
        stop_sequences=options.stop_sequences(body, report),
        stream=boolean_or_none(body, "stream"),
        output_schema=options.output_schema(body, output_config, report),
        user_id=user_id,
        session_id=session_id,
        service_tier=options.service_tier(body, profile, report),
        tool_names=names.restore,
        used_tool_ids=frozenset(messages.reader.tool_ids),
        left_out_arguments=tools.optional(refused) if refused and profile.omit_refused_arguments else {},
        extra=options.unmapped(body, profile, report),
    )


def _refuse_unservable(body: dict[str, Any]) -> None:
    if body.get("thread") is not None:
        # The 2.x SDKs' tool runners look for exactly these details and then resend the whole history.
        raise ApiError(
            400,
            "invalid_request_error",
            "thread: conversation state on the server is not supported; send the full history in messages",
            details={"error_code": "thread_unsupported_request", "unsupported": ["thread"]},
        )
    compaction = body.get("compaction")
    if type_of(compaction) == "summarize":
        raise invalid_request("compaction: the provider cannot summarize; ask for a summary in a message")


class _Messages:
    """Reads `system` and `messages` in one pass; system messages go where the profile wants them."""

    def __init__(self, profile: Profile, report: Report, tools: ToolSet, reader: ContentReader) -> None:
        self._profile = profile
        self._report = report
        self._tools = tools
        self.reader = reader
        self.system: list[Text] = []
        self.drafts = Drafts(report)
        self.effort: Any = None
        self._summary: Text | None = None

    def read(self, body: dict[str, Any]) -> None:
        """Fill `system` and `drafts`. Raises `ApiError` 400 where nothing is left to answer."""
        self._read_system(body.get("system"))
        messages = body.get("messages")
        if not isinstance(messages, list):
            raise invalid_request(f"messages: must be an array of messages, found {kind_of(messages)}")
        for index, message in enumerate(messages):
            if not isinstance(message, dict):
                raise invalid_request(f"messages.{index}: must be an object, found {kind_of(message)}")
        last_user, last_spoken = _last_of_user(messages)
        compacted = _last_compacted(messages)
        if compacted:
            self._report.dropped(
                "messages_compacted",
                "messages",
                f"a summary stands for the {compacted} before it",
                quiet=True,
            )
        self.reader.expect(messages[compacted:])
        for index, message in enumerate(messages[compacted:], compacted):
            path = f"messages.{index}"
            content = message.get("content")
            match message.get("role"):
                case "user":
                    attached = index == last_user and not has_results(content)
                    items = self.reader.user(content, f"{path}.content", attached=attached)
                    if self.reader.summary is not None:
                        self._add_summary(self.reader.summary, path)
                    self.drafts.user(items, path)
                case "assistant":
                    items = self.reader.assistant(content, f"{path}.content")
                    if self.reader.summary is not None:
                        self._add_summary(self.reader.summary, path)
                    self.drafts.assistant(items, path)
                case "system":
                    self._system_message(message, path, outdated=index < last_spoken)
                case _:
                    raise invalid_request(f"{path}.role: must be user, assistant or system")
        self.drafts.drop_unsaid()
        self._answer_summary()
        if not self.drafts.turns:
            raise invalid_request("messages: at least one message is required")

    def _read_system(self, system: Any) -> None:
        if system is None:
            return
        for text in self.reader.instructions(system, "system"):
            if text.text.startswith(BILLING_PREFIX):
                self._report.dropped(
                    "billing_header", "system", "transport metadata of the client", quiet=True
                )
                _, _, rest = text.text.partition("\n")
                text = Text(rest.lstrip("\n"), text.cached)
            if text.text.strip():
                self.system.append(text)

    def _system_message(self, message: dict[str, Any], path: str, *, outdated: bool) -> None:
        named = "output_config" in message
        config = object_or_none(message, "output_config", f"{path}.output_config") if named else None
        if config and config.get("effort") is not None:
            self.effort = config["effort"]
        content = message.get("content")
        if isinstance(content, list):
            self._change_tools(content, f"{path}.content")
        texts = [] if content is None else self.reader.instructions(content, f"{path}.content")
        if outdated and message.get("clear_at") == "next_user_message":
            self._report.dropped("system_cleared", path, "clear_at: a later user message exists", quiet=True)
            return
        text = "\n\n".join([text.text for text in texts])
        if not text.strip():
            return
        cached = longest_mark(texts)
        match self._profile.mid_system:
            case "hoist":
                self._report.changed("system_moved", path, "appended to the leading instructions", quiet=True)
                self.system.append(Text(text, cached))
            case "keep":
                self.drafts.user([Instruction(text, cached)], path)
            case _:
                self._report.changed(
                    "system_wrapped", path, "sent as a reminder in a user message", quiet=True
                )
                self.drafts.user([Text(reminder(text), cached)], path)

    def _change_tools(self, changes: Sequence[Any], path: str) -> None:
        for index, block in enumerate(changes):
            kind = type_of(block)
            if kind == "tool_addition":
                self._tools.add(block, f"{path}.{index}")
            elif kind == "tool_removal":
                self._tools.remove(block, f"{path}.{index}")

    def _add_summary(self, summary: Summary, path: str) -> None:
        self.reader.summary = None
        self._change_tools(summary.tool_changes, summary.changes_path)
        self.drafts.user([summary.text], path)
        self._summary = summary.text

    def _answer_summary(self) -> None:
        """A summary that nothing follows is no question: the model would only say thank you for it."""
        if self._summary is None:
            return
        last = self.drafts.turns[-1]
        if isinstance(last, UserDraft) and last.items[-1] is self._summary:
            last.items.append(Text(GO_ON))


def _last_of_user(messages: list[dict[str, Any]]) -> tuple[int, int]:
    """The indexes of the user's last message and of the last in which the user speaks; -1 without one."""
    last_user = -1
    for index in range(len(messages) - 1, -1, -1):
        if messages[index].get("role") == "user":
            last_user = max(last_user, index)
            if not only_results(messages[index].get("content")):
                return last_user, index
    return last_user, -1


def _last_compacted(messages: list[dict[str, Any]]) -> int:
    """The index of the last message with a summary of those before it, which then count no more; else 0."""
    for index in range(len(messages) - 1, -1, -1):
        content = messages[index].get("content")
        for block in content if isinstance(content, list) else ():
            if isinstance(block, dict) and block.get("type") == "compaction" and is_summary(block):
                return index
    return 0
