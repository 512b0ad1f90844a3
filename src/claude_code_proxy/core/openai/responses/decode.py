"""OpenAI Responses answers to deltas: one event of a stream, or one whole answer.

An answer is a list of items. Each is announced, grows, and comes once more whole; the terminal event holds
them all again. What was announced and grown counts, and what comes whole only fills the gaps. Items are
told apart by `output_index`, because some providers give an item a new id in every event.
"""

# ruff: noqa: SLF001 - the table of events at the end belongs to the class
from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from claude_code_proxy.core.answer_context import ReplyContext
from claude_code_proxy.core.deltas import (
    Delta,
    Failure,
    Finish,
    Reasoning,
    ReasoningState,
    Refusal,
    Text,
    ToolArguments,
    ToolStart,
    WebSearch,
)
from claude_code_proxy.core.errors.api import ApiError, invalid_request
from claude_code_proxy.core.errors.upstream import payload_error
from claude_code_proxy.core.openai.citations import Citations
from claude_code_proxy.core.openai.finish import read_finish
from claude_code_proxy.core.openai.responses.item_progress import Item, Items
from claude_code_proxy.core.openai.responses.outputs import (
    output_parts,
    reasoning_text,
    sealed_item,
    searched_pages,
)
from claude_code_proxy.core.openai.usage import read_usage
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Report
from claude_code_proxy.core.tool_names import CalledNames

_OUTPUT = "upstream.output"
_MOST_TOLD = 32  # different unknown types that are reported; an upstream could make up any number


class Decoder:
    """One answer of an upstream. Feed it events, or one whole answer; then ask `end`."""

    WHOLE: ClassVar[str] = "response"
    """The `object` of a whole answer."""
    READS_ERRORS: ClassVar[bool] = True
    """Whether an event named `error` is one of this format's own."""

    def __init__(self, profile: Profile, reply: ReplyContext, report: Report) -> None:
        self._profile = profile
        self._reply = reply
        self._report = report
        self._names = CalledNames(reply.tool_names)
        self._items = Items(reply.limits)
        self._reasoned: Item | None = None  # the item of the last reasoning, until something else comes
        self._sealed = False  # the last item was reasoning that goes back, and waits for its next item
        self._citations = Citations()
        self._told: set[str] = set()
        self._finished = False
        self.begun = False
        """An event of the answer came."""
        self.skipped = False
        """Content of a kind that has no counterpart came."""

    @property
    def finished(self) -> bool:
        """The terminal event was seen."""
        return self._finished

    @property
    def complete(self) -> bool:
        """Nothing can follow, not even token counts."""
        return self._finished

    def chunk(self, payload: Any) -> list[Delta]:
        """The deltas of one event."""
        if not isinstance(payload, dict):
            return self._strange(payload)
        kind = payload.get("type")
        read = _EVENTS.get(kind) if isinstance(kind, str) else None
        if read is None:
            return self._strange(payload)
        self.begun = True
        found: list[Delta] = []
        read(self, payload, found)
        return found

    def answer(self, body: Any) -> list[Delta]:
        """The deltas of a whole answer."""
        error = self._error(body)
        if error is None and not (isinstance(body, dict) and isinstance(body.get("output"), list)):
            error = ApiError(502, "api_error", "the upstream's response has no output")
        if error is not None:
            return [Failure(error)]
        found: list[Delta] = []
        self._terminal({"response": body}, found)
        return found + self.end()

    def end(self) -> list[Delta]:
        """The answer is over."""
        if any(item.kind == "function_call" and not item.announced for item in self._items.all):
            message = "the upstream sent a tool call without a name"
            return [Failure(ApiError(502, "api_error", message))]
        return [*self._citations.searches()]

    # --- items ----------------------------------------------------------------------------------------

    def _added(self, event: dict[str, Any], found: list[Delta]) -> None:
        content = event.get("item")
        if isinstance(content, dict):
            self._announce(self._item(event, content), content, found)

    def _done(self, event: dict[str, Any], found: list[Delta]) -> None:
        content = event.get("item")
        if isinstance(content, dict):
            self._complete(self._item(event, content), content, found)

    def _item(self, event: dict[str, Any], content: dict[str, Any]) -> Item:
        """The item that an event with its `content` speaks of."""
        call_id = content.get("call_id")
        kind = str(content.get("type"))
        return self._items.find(event, kind, call_id if isinstance(call_id, str) else "")

    def _announce(self, item: Item, content: dict[str, Any], found: list[Delta]) -> None:
        """What is known of an item before it grows."""
        if item.kind == "function_call":
            self._start_call(item, content, found)
        elif item.kind == "message":
            phase = content.get("phase")
            unsaid = not (item.announced or item.pieces)
            if phase and unsaid and self._profile.reasoning_replay == "responses_item":
                # The model wants it back on the message, and a text block has no place for it.
                found.append(ReasoningState("ri", [{"type": "message", "phase": phase}]))
            item.announced = True

    def _complete(self, item: Item, content: dict[str, Any], found: list[Delta]) -> None:
        """An item as a whole: write what was not written yet."""
        if item.done:
            return
        self._announce(item, content, found)
        item.done = True
        match item.kind:
            case "message":
                self._fill(item, output_parts(content), found)
                self._citations.read_parts(content.get("content"), found)
            case "function_call":
                self._fill_arguments(item, content.get("arguments"), found)
            case "reasoning":
                self._fill_reasoning(item, content, found)
            case "web_search_call" if self._reply.web_search:
                self._leave_alone(item, found)
                query, pages = searched_pages(content)
                search = WebSearch(item.key, query, pages)
                if pages == ():
                    self._citations.hold(search)
                else:
                    self._content(found, search)
            case _:
                self.skipped = True
                self._leave_alone(item, found)
                self._tell(
                    f"item {item.kind}", "item_dropped", f"no counterpart for an item {item.kind[:80]}"
                )

    def _leave_alone(self, item: Item, found: list[Delta]) -> None:
        """Note in the seal that the reasoning before led to an item that will not be replayed."""
        if self._sealed:
            found.append(ReasoningState("ri", [{"type": item.kind}]))
            self._sealed = False

    def _content(self, found: list[Delta], delta: Delta) -> None:
        """Anything but reasoning."""
        self._reasoned, self._sealed = None, False
        found.append(delta)

    def _fill(self, item: Item, parts: list[tuple[str, bool]], found: list[Delta]) -> None:
        """Write the rest of a message's `parts`, each a text and whether it is a refusal."""
        said = item.said
        for text, refused in parts:
            if said.startswith(text):
                said = said[len(text) :]
            elif text.startswith(said):
                self._say(item, text[len(said) :], found, refused=refused)
                said = ""
            else:
                self._differs()
                return

    def _say(self, item: Item, text: Any, found: list[Delta], *, refused: bool = False) -> None:
        if isinstance(text, str) and text:
            item.pieces.append(text)
            self._content(found, Refusal(text) if refused else Text(text))

    # --- text -----------------------------------------------------------------------------------------

    def _text(self, event: dict[str, Any], found: list[Delta]) -> None:
        self._say(self._items.find(event, "message"), event.get("delta"), found)

    def _refusal(self, event: dict[str, Any], found: list[Delta]) -> None:
        self._say(self._items.find(event, "message"), event.get("delta"), found, refused=True)

    def _annotation(self, event: dict[str, Any], found: list[Delta]) -> None:
        self._citations.read(event.get("annotation"), found)

    # --- reasoning ------------------------------------------------------------------------------------

    def _reasoning(self, event: dict[str, Any], found: list[Delta]) -> None:
        item, text = self._items.find(event, "reasoning"), event.get("delta")
        voice = event["type"]
        if not isinstance(text, str) or not text or item.voice not in ("", voice):
            return  # the same thoughts a second time, as a summary or in full
        item.voice = voice
        part = event.get("summary_index", event.get("content_index"))
        if item.pieces and part != item.part:
            text = f"\n\n{text}"
        item.part = part
        self._think(item, text, found)

    def _think(self, item: Item, text: str, found: list[Delta]) -> None:
        item.pieces.append(text)
        if self._reasoned not in (None, item):
            text = f"\n\n{text}"  # one block for two items that follow each other
        self._reasoned = item
        found.append(Reasoning(text))

    def _fill_reasoning(self, item: Item, content: dict[str, Any], found: list[Delta]) -> None:
        text = reasoning_text(content)
        if text and not item.pieces:
            self._think(item, text, found)
        sealed = sealed_item(content)
        if sealed is not None and self._items.went_on_after(item):  # OpenRouter closes all items at the end
            self._tell("late", "reasoning_late", "reasoning that came after its next item", quiet=True)
        elif sealed is not None:
            found.append(ReasoningState("ri", [sealed]))
            self._sealed = True

    # --- tool calls -----------------------------------------------------------------------------------

    def _start_call(self, item: Item, content: dict[str, Any], found: list[Delta]) -> None:
        call_id, name = content.get("call_id"), content.get("name")
        if isinstance(call_id, str):
            item.call_id = item.call_id or call_id
        if item.announced or not isinstance(name, str) or not name:
            return
        item.announced = True
        self._content(found, ToolStart(item.key, item.call_id, self._names.client_name(name)))
        if item.pieces:
            found.append(ToolArguments(item.key, item.said))

    def _arguments(self, event: dict[str, Any], found: list[Delta]) -> None:
        text = event.get("delta")
        if isinstance(text, str) and text:
            self._append_arguments(self._items.find(event, "function_call"), text, found)

    def _arguments_done(self, event: dict[str, Any], found: list[Delta]) -> None:
        self._fill_arguments(self._items.find(event, "function_call"), event.get("arguments"), found)

    def _fill_arguments(self, item: Item, arguments: Any, found: list[Delta]) -> None:
        if not isinstance(arguments, str):
            return
        said = item.said if len(arguments) >= item.size else None
        if said is not None and arguments.startswith(said):
            if rest := arguments[len(said) :]:
                self._append_arguments(item, rest, found)
        else:
            self._differs()

    def _append_arguments(self, item: Item, text: str, found: list[Delta]) -> None:
        item.pieces.append(text)
        item.size += len(text)
        self._reply.limits.check_arguments(item.size)
        if item.announced:
            found.append(ToolArguments(item.key, text))

    # --- the end --------------------------------------------------------------------------------------

    def _terminal(self, event: dict[str, Any], found: list[Delta]) -> None:
        """`response.completed` and its sisters; a whole answer is read as one that nothing came before."""
        response = event.get("response")
        response = response if isinstance(response, dict) else {}
        status = response.get("status") or str(event.get("type", "completed")).removeprefix("response.")
        if status not in ("completed", "incomplete"):
            self._failed(event, found)
            return
        self._fill_gaps(response.get("output"), found)
        if (counted := read_usage(response.get("usage"))) is not None:
            found.append(counted)
        details = response.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, dict) else None
        if status == "completed":
            self._finish(Finish("end_turn"), found)
            return
        finish = read_finish(str(reason), self._reply.errors)
        if isinstance(finish, ApiError):
            found.append(Failure(finish))
        elif finish.unknown:
            reason = f"incomplete ({finish.unknown}) was read as a cut"
            self._tell("reason", "unknown_finish_reason", reason)
            self._finish(Finish("max_tokens"), found)
        else:
            self._finish(finish, found)

    def _finish(self, finish: Finish, found: list[Delta]) -> None:
        self._finished = True
        found.append(finish)

    def _fill_gaps(self, output: Any, found: list[Delta]) -> None:
        """Write the items of the terminal list that never came by themselves."""
        contents = output if isinstance(output, list) else []
        if not self._items.match(contents):
            return  # it lists other items, or in another order
        for place, content in enumerate(contents):
            if isinstance(content, dict):
                self._complete(self._item({"output_index": place}, content), content, found)

    def _failed(self, event: dict[str, Any], found: list[Delta]) -> None:
        """`response.failed`, `response.cancelled`, `error`: the last one says why, if anything does."""
        response = event.get("response")
        if isinstance(response, dict):
            status = response.get("status") or "failed"
            event = {"error": response.get("error") or {"message": f"the upstream's response is {status}"}}
        error = self._error(event) or ApiError(500, "api_error", "the upstream reported an error")
        if "policy" in _code(event):
            if self._items.all:  # the answer has begun: it ends here, refused
                self._finish(Finish("refusal"), found)
                return
            error = invalid_request(error.message)
        found.append(Failure(error))

    def _error(self, payload: Any) -> ApiError | None:
        return payload_error(payload, self._reply.errors)

    # --- what nobody knows ----------------------------------------------------------------------------

    def _strange(self, payload: Any) -> list[Delta]:
        """An event without a reader: an error in a shape of its own, or something new."""
        kind = payload.get("type") if isinstance(payload, dict) else None
        kind = kind[:80] if isinstance(kind, str) else "without a type"
        if not kind.startswith("response.") and (error := self._error(payload)) is not None:
            return [Failure(error)]
        self._tell(
            f"event {kind}", "event_skipped", f"an event {kind} adds nothing to the answer", quiet=True
        )
        return []

    def _differs(self) -> None:
        self._tell("differs", "item_differs", "the finished item is not what was streamed; the stream counts")

    def _tell(self, what: str, code: str, reason: str, *, quiet: bool = False) -> None:
        if what not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(what)
            self._report.dropped(code, _OUTPUT, reason, quiet=quiet)


def _code(event: dict[str, Any]) -> str:
    error = event.get("error")
    code = (error if isinstance(error, dict) else event).get("code")
    return code if isinstance(code, str) else ""


_EVENTS: dict[str, Callable[[Decoder, dict[str, Any], list[Delta]], None]] = {
    "response.created": lambda *_: None,
    "response.in_progress": lambda *_: None,
    "response.queued": lambda *_: None,
    "response.output_item.added": Decoder._added,
    "response.output_item.done": Decoder._done,
    "response.output_text.delta": Decoder._text,
    "response.output_text.annotation.added": Decoder._annotation,
    "response.refusal.delta": Decoder._refusal,
    "response.reasoning_summary_text.delta": Decoder._reasoning,
    "response.reasoning_text.delta": Decoder._reasoning,
    "response.function_call_arguments.delta": Decoder._arguments,
    "response.function_call_arguments.done": Decoder._arguments_done,
    "response.completed": Decoder._terminal,
    "response.incomplete": Decoder._terminal,
    "response.failed": Decoder._failed,
    "response.cancelled": Decoder._failed,
    "response.error": Decoder._failed,  # Codex
    "error": Decoder._failed,
}
"""The events that carry content or end the answer; what others say stands in these too."""
