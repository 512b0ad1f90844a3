"""Which tool call does a delta belong to? Providers number, name and repeat them in many ways.

The rules, each seen in the wild: an `index` counts if there is one, but a new id with a name at an old
index is a new call; without an index a new id, or a name after complete arguments, starts one; empty ids
and names are missing ones; a repeated id or name changes nothing; a name may come late or in pieces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from claude_code_proxy.core import wire
from claude_code_proxy.core.answer_context import DEFAULT_LIMITS, AnswerLimits
from claude_code_proxy.core.chunk_template import Hole
from claude_code_proxy.core.deltas import ToolArguments, ToolStart
from claude_code_proxy.core.json_prefix import ObjectScanner
from claude_code_proxy.core.tool_names import CalledNames

_LONGEST_VALUE = 1024  # characters of arguments that are no object and may be parsed each time
LEGACY_INDEX = -1
"""Stands for the single call of the legacy `function_call`."""


@dataclass(slots=True)
class _Call:
    key: int
    id: str = ""
    name: str = ""
    extra: Any = None
    started: bool = False
    waited: bool = False
    custom: list[str] | None = None  # pieces of the plain input of a custom tool
    pieces: list[str] = field(default_factory=list)
    size: int = 0  # characters of the pieces
    scanner: ObjectScanner = field(default_factory=ObjectScanner)
    trailing: bool = False  # something stands behind the object
    scanned: int = 0  # pieces that the scanner has read

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)

    @property
    def complete(self) -> bool:
        """The arguments so far are one whole JSON object, or another value of a moderate length."""
        for piece in self.pieces[self.scanned :]:  # each is read once, however often this is asked
            taken = self.scanner.feed(piece)
            if self.scanner.complete and piece[taken:].strip():
                self.trailing = True
        self.scanned = len(self.pieces)
        if self.scanner.complete:
            return not self.trailing
        if not self.scanner.broken or self.size > _LONGEST_VALUE:
            return False
        text = self.arguments
        if not text.rstrip().endswith(("}", "]", '"')):
            return False
        try:
            wire.loads_bounded(text)
        except wire.WireError:
            return False
        return True

    def append(self, text: str, limits: AnswerLimits) -> None:
        """Take more arguments. Raises `ApiError` for too many."""
        self.pieces.append(text)
        self.size += len(text)
        limits.check_arguments(self.size)


class _CustomInput(NamedTuple):
    """A piece of the input of a custom tool, which is text and no JSON."""

    text: str


class ToolCalls:
    """Turns `tool_calls` deltas into `ToolStart` and `ToolArguments` with unambiguous keys."""

    def __init__(self, names: Mapping[str, str], limits: AnswerLimits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._names = names  # upstream name to client name
        self._called = CalledNames(names)
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self.unstarted = 0
        """How many calls wait for `settle` after a chunk, or, after `end`, were never named."""

    def feed(self, entries: list[Any]) -> list[ToolStart | ToolArguments]:
        """Take the `tool_calls` of one delta."""
        touched: set[int] = set()
        found: list[ToolStart | ToolArguments] = []
        for entry in entries:
            if isinstance(entry, dict) and (parsed := _parse(entry)) is not None:
                self._entry(*parsed, touched, found)
        return found

    @staticmethod
    def hole(delta: dict[str, Any]) -> Hole | None:
        """Where the arguments stand in a delta that has said nothing else; see `Decoder.holes`."""
        match delta.get("tool_calls"):
            case [{"function": {"arguments": str()} as function}] if not function.get("name"):
                return Hole(function, "arguments")
            case _:
                return None

    def repeated(self, key: int, arguments: str) -> None:
        """Take note of arguments that were read past `feed`."""
        self._calls[key].append(arguments, self._limits)

    def settle(self) -> list[ToolStart | ToolArguments]:
        """Start the named calls that have waited long enough for an id or the rest of a name."""
        found: list[ToolStart | ToolArguments] = []
        for call in self._calls:
            if call.name and not call.started:
                if call.waited and not self._unfinished_name(call):
                    self._start(call, found)
                call.waited = True
        return found

    def end(self) -> list[ToolStart | ToolArguments]:
        """The answer ended: start whatever has a name, and write the input of custom tools."""
        found: list[ToolStart | ToolArguments] = []
        if not self._calls:
            return found
        self._start_named(self._calls, found)
        found += [
            ToolArguments(call.key, wire.dumps_text({"input": "".join(call.custom)}))
            for call in self._calls
            if call.custom is not None and call.started
        ]
        return found

    def _entry(
        self,
        index: int | None,
        call_id: str,
        name: str,
        arguments: Any,
        extra: Any,
        touched: set[int],
        found: list[ToolStart | ToolArguments],
    ) -> None:
        piece: str | None = None
        if isinstance(arguments, _CustomInput):
            piece, arguments = arguments.text, None
        call = self._find(index, call_id, name, arguments, touched)
        touched.add(call.key)
        call.id = call.id or call_id
        call.extra = extra if call.extra is None else call.extra
        if name and not call.started:
            call.name = self._joined_name(call.name, name)
        if piece is not None:
            call.custom = call.custom or []
            call.custom.append(piece)
            call.size += len(piece)
            self._limits.check_arguments(call.size)
        text = _argument_text(arguments, call)
        if text:
            call.append(text, self._limits)
        if call.started:
            if text:
                found.append(ToolArguments(call.key, text))
        elif call.name and (call.id or call.pieces) and not self._unfinished_name(call):
            self._start_named(self._calls[: call.key + 1], found)

    def _find(self, index: int | None, call_id: str, name: str, arguments: Any, touched: set[int]) -> _Call:
        if index is not None:
            call = self._by_index.get(index)
            if call is None or self._supersedes(call, call_id, name, arguments):
                call = self._by_index[index] = self._new()
            return call
        if call_id:
            known = next((call for call in reversed(self._calls) if call.id == call_id), None)
            if known is not None and not (name and known.name and known.key in touched):
                return known
            last = self._calls[-1] if self._calls else None
            if last is not None and not last.id and not last.started and last.key not in touched:
                return last  # a late id
            return self._new()
        if not self._calls:
            return self._new()
        last = self._calls[-1]
        if name and (last.key in touched or self._supersedes(last, call_id, name, arguments)):
            return self._new()
        return last

    @staticmethod
    def _supersedes(call: _Call, call_id: str, name: str, arguments: Any) -> bool:
        """Whether a delta that points at `call` is in truth a new call."""
        if not name:
            return False
        if call_id and call.id:
            return call_id != call.id
        if not call.name or not call.complete:
            return False  # a late name, or one that is repeated
        if name != call.name:
            return True
        text = arguments if isinstance(arguments, str) else wire.dumps_text(arguments or "")
        return bool(text.strip()) and text.lstrip()[:1] == "{" and not text.startswith(call.arguments)

    def _new(self) -> _Call:
        call = _Call(len(self._calls))
        self._limits.check_calls(call.key + 1)
        self._calls.append(call)
        self.unstarted += 1
        return call

    def _start_named(self, calls: list[_Call], found: list[ToolStart | ToolArguments]) -> None:
        for call in calls:
            if call.name and not call.started:
                self._start(call, found)

    def _start(self, call: _Call, found: list[ToolStart | ToolArguments]) -> None:
        call.started = True
        self.unstarted -= 1
        found.append(ToolStart(call.key, call.id, self._called.client_name(call.name), call.extra))
        if call.pieces:
            found.append(ToolArguments(call.key, call.arguments))

    def _joined_name(self, so_far: str, piece: str) -> str:
        """A name may come in pieces, but most repetitions are just that."""
        if not so_far or so_far in self._names:
            return so_far or piece
        joined = so_far + piece
        return joined if any(name.startswith(joined) for name in self._names) else so_far

    def _unfinished_name(self, call: _Call) -> bool:
        """Whether more of the name may come: it is no declared tool but the beginning of one."""
        if call.name in self._names or call.pieces:
            return False
        return any(name.startswith(call.name) for name in self._names)


def _parse(entry: dict[str, Any]) -> tuple[int | None, str, str, Any, Any] | None:
    """index, id, name, arguments and extra of one entry; None when it says nothing."""
    index = entry.get("index")
    function = entry.get("function")
    arguments: Any = None
    name: Any = None
    if isinstance(function, dict):
        name, arguments = function.get("name"), function.get("arguments")
    elif isinstance(custom := entry.get("custom"), dict) and custom:
        name, piece = custom.get("name"), custom.get("input")
        arguments = _CustomInput(piece if isinstance(piece, str) else "")
    call_id = entry.get("id")
    known = isinstance(index, int) and not isinstance(index, bool)
    parsed = (
        index if known else None,
        call_id if isinstance(call_id, str) else "",
        name if isinstance(name, str) else "",
        arguments,
        entry.get("extra_content"),
    )
    return parsed if any(parsed[1:4]) else None


def _argument_text(arguments: Any, call: _Call) -> str:
    """The new text in `arguments`: strings come in pieces, objects whole and perhaps repeatedly."""
    if isinstance(arguments, str):
        return arguments
    if arguments is None:
        return ""
    text = wire.dumps_text(arguments)
    return text.removeprefix(call.arguments) if len(text) >= call.size else text
