"""OpenAI Chat Completions answers to deltas: one chunk of a stream, or one whole answer.

Reads what providers really send (docs/conversion.md): content as text or list, reasoning under four names,
usage in seven places, finish reasons twice, late or never, messages where deltas belong.
"""

from __future__ import annotations

from typing import Any, ClassVar

from claude_code_proxy.core import wire
from claude_code_proxy.core.answer_context import ReplyContext
from claude_code_proxy.core.chunk_template import Hole
from claude_code_proxy.core.deltas import (
    Delta,
    Failure,
    Finish,
    Reasoning,
    ReasoningState,
    Refusal,
    StopReason,
    Text,
    ToolArguments,
    Usage,
    WebSearch,
)
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.errors.upstream import payload_error
from claude_code_proxy.core.openai.chat.other_content import (
    MEDIA_FIELDS,
    image_text,
    media_texts,
    reasoning_text,
)
from claude_code_proxy.core.openai.chat.text_tools import TextTools
from claude_code_proxy.core.openai.chat.think_tags import ThinkTags
from claude_code_proxy.core.openai.chat.tool_calls import LEGACY_INDEX, ToolCalls
from claude_code_proxy.core.openai.chat.tool_dialects import TextCall
from claude_code_proxy.core.openai.citations import Citations
from claude_code_proxy.core.openai.finish import read_finish, stop_reason, stop_sequence
from claude_code_proxy.core.openai.usage import read_usage
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Report

_REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking", "reasoning_text")
_REASONING = frozenset((*_REASONING_FIELDS, "reasoning_details", "reasoning_opaque"))
_BESIDE_TEXT = _REASONING | MEDIA_FIELDS | {"annotations", "refusal", "tool_calls", "function_call"}
_ERRORS = frozenset(("error", "base_resp"))
_PADDINGS = dict.fromkeys(("obfuscation", "p")).keys()
"""OpenAI's and Mistral's guard against traffic analysis: they say nothing."""


class Decoder:
    """One answer of an upstream. Feed it chunks, or one whole answer; then ask `end`."""

    WHOLE: ClassVar[str] = "chat.completion"
    """The `object` of a whole answer."""
    READS_ERRORS: ClassVar[bool] = False
    """Whether an event named `error` is one of this format's own."""
    complete: ClassVar[bool] = False
    """Nothing can follow: never known before the end, since token counts may come after the finish."""

    def __init__(self, profile: Profile, reply: ReplyContext, report: Report) -> None:
        self._profile = profile
        self._reply = reply
        self._report = report
        self._tools = ToolCalls(reply.tool_names, reply.limits)
        self._tags = ThinkTags(implicit=profile.implicit_think) if profile.think_tags == "auto" else None
        self._text_tools = (
            TextTools(profile.text_tool_calls, reply.tool_names, reply.tool_parameters)
            if profile.text_tool_calls and reply.tool_names
            else None
        )
        self._text_calls = 0
        self._citations = Citations()
        self._finish: StopReason | None = None
        self._told: set[str] = set()
        self._spoken = ""  # by servers that send the whole message so far instead of deltas
        self._whole = False
        self._cut = False
        self.begun = False
        """A choice came."""
        self.skipped = False
        """Content of a kind that has no counterpart came."""

    @property
    def finished(self) -> bool:
        """A finish reason was seen."""
        return self._finish is not None

    def chunk(self, payload: Any) -> list[Delta]:
        """The deltas of one chunk, in the order reasoning, text, tools, finish, usage."""
        choices = payload.get("choices") if isinstance(payload, dict) else None
        if not choices or not _ERRORS.isdisjoint(payload):
            error = payload_error(payload, self._reply.errors)
            if error is not None:
                return [*self._content_before(payload), Failure(error)]
            if not isinstance(payload, dict):
                self._tell("unknown_chunk", "upstream", "a chunk that is not a JSON object was ignored")
                return []
        found: list[Delta] = []
        usage = payload.get("usage")
        for choice in choices if isinstance(choices, list) else ():
            if not isinstance(choice, dict):
                continue
            self.begun = True
            usage = usage or choice.get("usage")
            if choice.get("index") in (None, 0) or self._profile.merge_choices:
                self._choice(choice, found)
            else:
                self._tell("extra_choice_dropped", "upstream.choices", "only the first choice is used")
        if "citations" in payload or "search_results" in payload:
            self._citations.read_lists(payload, found)
        if usage or "x_groq" in payload:
            self._usage(payload, choices, found)
        return found

    def holes(self, payload: Any, delta: Delta) -> list[Hole]:
        """Where the text of `delta` stands in `payload`, the chunk that said it and nothing else.

        Behind it the chunk's padding, if it has one. Empty unless a chunk with other strings there would be
        the same kind of delta and change nothing here.
        """
        hole = self._hole(payload, delta)
        if hole is None:
            return []
        if _PADDINGS.isdisjoint(payload):
            return [hole]
        return [hole, *(Hole(payload, key) for key in _PADDINGS if isinstance(payload.get(key), str))][:2]

    def _hole(self, payload: Any, delta: Delta) -> Hole | None:
        plain = isinstance(payload, dict) and _ERRORS.isdisjoint(payload)
        choices = payload.get("choices") if plain else None
        choice = choices[0] if isinstance(choices, list) and len(choices) == 1 else None
        spoken = choice.get("delta") if isinstance(choice, dict) else None
        if not isinstance(spoken, dict) or self._tools.unstarted:
            return None
        if isinstance(delta, Text):
            plain = self._tags is None and self._text_tools is None
            return Hole(spoken, "content") if plain and spoken.get("content") == delta.text else None
        if isinstance(delta, Reasoning):
            key = next((field for field in _REASONING_FIELDS if spoken.get(field)), "")
            plain = isinstance(spoken.get(key), str) and not spoken.get("reasoning_details")
            return Hole(spoken, key) if plain else None
        return self._tools.hole(spoken) if isinstance(delta, ToolArguments) else None

    def repeated(self, key: int, arguments: str) -> None:
        """Take note of arguments that were read from chunks like the last one, past this decoder."""
        self._tools.repeated(key, arguments)

    def answer(self, body: Any) -> list[Delta]:
        """The deltas of a whole answer. An answer without choices and without usage is a failure."""
        self._whole = True
        found = self.chunk(body)
        kinds = set(map(type, found))
        if Failure not in kinds:
            if not self.begun and Usage not in kinds:
                return [Failure(ApiError(502, "api_error", "the upstream's response has no choices"))]
            if self._finish is None:  # a whole body is complete even if it does not say why it ended
                found.append(Finish("end_turn"))
                self._finish = "end_turn"
        return found + self.end()

    def end(self) -> list[Delta]:
        """The answer is over: what was held back."""
        found: list[Delta] = []
        if self._tags is not None:
            self._said(self._tags.flush(), found)
        self._end_text_tools(found)
        found += self._tools.end()
        if self._reply.web_search and (pages := self._citations.pages):
            found.append(WebSearch(LEGACY_INDEX, "", pages))
        if self._tools.unstarted:
            message = "the upstream sent a tool call without a name"
            found.append(Failure(ApiError(502, "api_error", message)))
        return found

    # --- one choice -----------------------------------------------------------------------------------

    def _choice(self, choice: dict[str, Any], found: list[Delta]) -> None:
        reason = choice.get("finish_reason")
        if self._whole:
            self._cut = bool(reason) and stop_reason(str(reason)) == "max_tokens"
        delta, message = choice.get("delta"), choice.get("message")
        if isinstance(message, dict) and (self._whole or not isinstance(delta, dict)):
            self._delta(self._unsaid(message), found)  # Perplexity sends both: the message so far too
        elif isinstance(delta, dict) and delta:
            self._delta(delta, found)
        if self._tools.unstarted:
            found += self._tools.settle()
        if reason:
            self._finished(str(reason), choice, found)

    def _unsaid(self, message: dict[str, Any]) -> dict[str, Any]:
        """What a message adds to the one before, if the server repeats it whole in each chunk."""
        content = message.get("content")
        if not isinstance(content, str) or not content:
            return message
        if self._spoken and content.startswith(self._spoken):
            message = {**message, "content": content[len(self._spoken) :]}
        self._spoken = content
        return message

    def _delta(self, delta: dict[str, Any], found: list[Delta]) -> None:
        content = delta.get("content")
        if isinstance(content, str) and _BESIDE_TEXT.isdisjoint(delta):  # most deltas are text alone
            if content:
                self._text(content, found)
            return
        if not _REASONING.isdisjoint(delta):
            self._reasoning(delta, found)
        if content:
            if isinstance(content, str):
                self._text(content, found)
            else:
                self._parts(content, found)
        if annotations := delta.get("annotations"):
            self._citations.read(annotations, found)
        for text in () if MEDIA_FIELDS.isdisjoint(delta) else media_texts(delta, self._tell):
            self._text(text, found)
        refusal = delta.get("refusal")
        if refusal and isinstance(refusal, str):
            found.append(Refusal(refusal))
        calls = delta.get("tool_calls")
        if calls and isinstance(calls, list):
            self._end_text_tools(found)
            found += self._tools.feed(calls)
        legacy = delta.get("function_call")
        if legacy and isinstance(legacy, dict):
            found += self._tools.feed([{"index": LEGACY_INDEX, "function": legacy}])

    def _reasoning(self, delta: dict[str, Any], found: list[Delta]) -> None:
        details = delta.get("reasoning_details")
        text = ""
        for field in _REASONING_FIELDS:
            value = delta.get(field)
            if value and (text := value if isinstance(value, str) else reasoning_text(value)):
                break
        if details and isinstance(details, list):
            text = text or reasoning_text([item for item in details if isinstance(item, dict)])
        if text:
            self._reason(text, found)
        if details and isinstance(details, list):
            found.append(ReasoningState("rd", details))
        opaque = delta.get("reasoning_opaque")
        if opaque and isinstance(opaque, str):
            found.append(ReasoningState("ro", [opaque]))

    def _reason(self, text: str, found: list[Delta]) -> None:
        if self._tags is not None and not self._profile.implicit_think:
            self._said(self._tags.flush(), found)
            self._tags = None  # reasoning has a field of its own here
        found.append(Reasoning(text))

    def _text(self, text: str, found: list[Delta]) -> None:
        tags = self._tags
        if tags is None:
            self._say(text, found)
            return
        if self._whole and not self._cut and "</think>" not in text and "</thought>" not in text:
            self._tags = None  # a tag that is never closed, in an answer that is complete: plain text
            self._say(text, found)
            return
        self._said(tags.feed(text), found)
        if not tags.active:
            self._tags = None

    def _said(self, deltas: list[Text | Reasoning], found: list[Delta]) -> None:
        for delta in deltas:
            if isinstance(delta, Text):
                self._say(delta.text, found)
            else:
                found.append(delta)

    def _say(self, text: str, found: list[Delta]) -> None:
        """Text of the answer, in which calls may be written out."""
        if self._text_tools is None:
            found.append(Text(text))
        else:
            self._read_calls(self._text_tools.feed(text), found)

    def _end_text_tools(self, found: list[Delta]) -> None:
        if self._text_tools is not None:
            self._read_calls(self._text_tools.flush(ended=self.finished), found)

    def _read_calls(self, pieces: list[Text | TextCall], found: list[Delta]) -> None:
        for piece in pieces:
            if isinstance(piece, Text):
                found.append(piece)
                continue
            self._text_calls += 1
            if self._text_calls == 1:
                reason = "a tool call that came as text was read as a call (text_tool_calls)"
                self._report.emulated("text_tool_call", "upstream.content", reason)
            function = {"name": piece.name, "arguments": piece.arguments}
            index = LEGACY_INDEX - self._text_calls  # one that no upstream uses
            found += self._tools.feed([{"index": index, "id": piece.id, "function": function}])

    def _parts(self, content: Any, found: list[Delta]) -> None:
        """Content as a list of parts (Mistral), or one part."""
        for part in content if isinstance(content, list) else [content]:
            if isinstance(part, str):
                self._text(part, found)
            elif isinstance(part, dict):
                if thinking := part.get("thinking"):
                    pieces = thinking if isinstance(thinking, list) else [thinking]
                    self._reason("".join(map(_part_text, pieces)), found)
                elif text := _part_text(part):
                    self._text(text, found)
                elif part.get("type") in ("image_url", "image"):
                    self._text(image_text(part, self._tell), found)
                elif part.get("type") not in ("text", "thinking"):
                    self.skipped = True
                    self._tell("unknown_part", "upstream.content", "a part of an unknown type was dropped")

    # --- finish, usage, errors ------------------------------------------------------------------------

    def _finished(self, word: str, choice: dict[str, Any], found: list[Delta]) -> None:
        finish = read_finish(word, self._reply.errors, choice.get("native_finish_reason"))
        if isinstance(finish, ApiError):
            found.append(Failure(payload_error(choice, self._reply.errors) or finish))
            return
        if finish.unknown:
            reason = f"{finish.unknown!r} was read as the end"
            self._tell("unknown_finish_reason", "upstream.finish_reason", reason)
        if finish.reason == "end_turn" and (sequence := stop_sequence(choice)) is not None:
            finish = Finish("stop_sequence", sequence)
        if self._finish in (None, "end_turn", "tool_use"):  # a cut or a refusal is not taken back
            self._finish = finish.reason
            found.append(finish)

    def _usage(self, payload: dict[str, Any], choices: Any, found: list[Delta]) -> None:
        first = choices[0] if isinstance(choices, list) and choices else None
        for owner in (payload, payload.get("x_groq"), first):  # Groq's, and Moonshot's
            if isinstance(owner, dict) and (usage := owner.get("usage")):
                counted = read_usage(usage, written_outside_prompt=self._profile.cache_written_outside_prompt)
                if counted is not None:
                    found.append(counted)
                    break

    def _content_before(self, payload: Any) -> list[Delta]:
        """Content in the very chunk that also carries an error."""
        if not isinstance(payload, dict) or not isinstance(choices := payload.get("choices"), list):
            return []
        found: list[Delta] = []
        for choice in choices:
            if isinstance(choice, dict) and isinstance(delta := choice.get("delta"), dict):
                self._delta(delta, found)
        return found

    def _tell(self, code: str, path: str, reason: str) -> None:
        if code not in self._told:
            self._told.add(code)
            self._report.dropped(code, path, reason)


def _part_text(part: Any) -> str:
    if isinstance(part, dict):
        part = part.get("text")
    return part if isinstance(part, str) else ""


def parse_chunk(data: bytes) -> Any:
    """The JSON of one event's data; None when it is no JSON."""
    try:
        return wire.loads_bounded(data)
    except wire.WireError:
        return None
