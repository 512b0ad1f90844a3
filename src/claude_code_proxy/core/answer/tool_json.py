"""Tool arguments: from what the model wrote to what the client gets.

A complete JSON object passes unchanged. Nothing is ever completed or invented: a truncated command must
not run, and a failed parse never becomes `{}` (rules 6 and 7 of docs/architecture.md).
"""

from __future__ import annotations

import re
from typing import Any

from claude_code_proxy.core import wire
from claude_code_proxy.core.json_prefix import ObjectScanner
from claude_code_proxy.core.report import Report
from claude_code_proxy.core.request.refused_arguments import empty_arguments

_LONGEST_NAMES = 200
_DEEPEST_COPY = 256  # levels
_SPACE = re.compile(r"\s*")
RAW_ARGUMENTS = "_raw_arguments"
"""The key under which text that is no JSON reaches the client; its schema check then tells the model."""


def parse_arguments(text: str, report: Report) -> dict[str, Any]:
    """The input object for a whole argument text; repairs are reported, what cannot be read is kept raw."""
    stripped = text.strip()
    if stripped in ("", "null"):
        return {}
    value = _value(stripped)
    if isinstance(value, str):  # JSON inside a JSON string
        inner = _value(value.strip())
        if isinstance(inner, dict):
            report.changed("tool_arguments_unwrapped", "upstream.tool_calls", "arguments were encoded twice")
            return inner
        return _kept(text, report)
    if isinstance(value, dict):
        return value
    if value is not None:
        report.changed("tool_arguments_wrapped", "upstream.tool_calls", "arguments were not a JSON object")
        return {"value": value}
    return _lenient(stripped, text, report)


def _lenient(stripped: str, text: str, report: Report) -> dict[str, Any]:
    """Objects in code fences, with raw control characters, or with something after them."""
    if stripped.startswith("```") and stripped.endswith("```"):
        stripped = stripped[3:-3].removeprefix("json").strip()
    found: dict[str, Any] | None = None
    at = 0
    if wire.has_more_elements(stripped.encode("utf-8", "replace"), wire.MOST_ELEMENTS):
        return _kept(text, report)
    while stripped.startswith("{", at):
        try:
            found, at = wire.LENIENT.raw_decode(stripped, at)
        except (ValueError, RecursionError):
            break
        if found:  # the first object that says something; `{}{"a":1}` means the second
            break
        at = _SPACE.match(stripped, at).end()  # type: ignore[union-attr] # it matches nothing, too
    if found is None or wire.is_deeper(found, wire.MOST_LEVELS):
        return _kept(text, report)
    report.changed(
        "tool_arguments_repaired", "upstream.tool_calls", "arguments contained more than one JSON object"
    )
    return found


def _kept(text: str, report: Report) -> dict[str, Any]:
    report.changed(
        "tool_arguments_invalid", "upstream.tool_calls", "arguments are not JSON; kept as raw text"
    )
    return {RAW_ARGUMENTS: text}


def _value(text: str) -> Any:
    try:
        return wire.loads_bounded(text)
    except wire.WireError:
        return None


class ArgumentGate:
    """Passes streamed argument text on as long as it is a prefix of one JSON object.

    `feed` returns what may go out now, `close` what is left at the end of the call. Text that does not
    start as an object waits for `close`, which sends the result of `parse_arguments`. An empty object waits
    too: some models write `{}` and then the real one.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._scanner = ObjectScanner()
        self._sent: list[str] = []  # everything that went out
        self._size = 0  # characters of all that was sent or is held
        self._held: list[str] = []  # an object that has no content yet, or text that is no object
        self._foreign = False
        self._cumulative = False
        self._warned = False

    @property
    def complete(self) -> bool:
        """One whole object was read."""
        return self._scanner.complete

    @property
    def incomplete(self) -> bool:
        """Something was begun that is not known to have ended."""
        return bool(self._sent or self._held) and not self._scanner.complete

    def feed(self, text: str) -> str:
        """Take the next piece; return what may go out."""
        if self._foreign:
            self._held.append(text)
            return ""
        if self._scanner.broken:
            return text
        if self._scanner.complete:
            return self._trailing(text)
        if self._cumulative and len(text) >= self._size:
            text = text.removeprefix(self._so_far())
        if not (self._sent or self._held):
            text = text.lstrip(" \t\r\n")
            if text and text[0] != "{":
                self._foreign, self._held = True, [text]
                return ""
        taken, broken = self._scan(text)
        if broken:
            return self._broken(text)
        out = self._release(text[:taken])
        rest = text[taken:]
        return out + self._trailing(rest) if rest else out

    def pass_on(self, text: str) -> bool:
        """Take text of which `feed` would return all, also in pieces; False, and nothing taken, if not so."""
        scanner = self._scanner
        if not self._sent or self._cumulative or scanner.complete or scanner.depth > _DEEPEST_COPY:
            return False
        if not scanner.goes_on(text):
            scanner = scanner.copy()
            if scanner.feed(text) < len(text) or scanner.broken:
                return False
            self._scanner = scanner
        self._sent.append(text)
        self._size += len(text)
        return True

    def close(self) -> str:
        """The call is over; return what still has to go out."""
        held, self._held = "".join(self._held), []
        if self._foreign:
            return wire.dumps_text(parse_arguments(held, self._report))
        return held

    def _scan(self, text: str) -> tuple[int, bool]:
        taken = self._scanner.feed(text)
        return taken, self._scanner.broken

    def _release(self, text: str) -> str:
        """Hold an object back until it has content."""
        self._size += len(text)
        if not self._sent:
            if text:
                self._held.append(text)
            if not text.strip("{} \t\r\n"):
                return ""
            text, self._held = "".join(self._held), []
        self._sent.append(text)
        return text

    def _trailing(self, text: str) -> str:
        """Text after a complete object: a second object after an empty one counts, all else is dropped."""
        text = text.lstrip(" \t\r\n")
        if not text:
            return ""
        if self._held and text[0] == "{":
            self._note("tool_arguments_repaired", "an empty object stood before the arguments")
            self._scanner, self._held, self._size = ObjectScanner(), [], 0
            return self.feed(text)
        if len(text) != self._size or text != self._so_far():  # repeating the whole object is harmless
            self._note("tool_arguments_trailing", "text after the end of the arguments was dropped")
        return ""

    def _so_far(self) -> str:
        return "".join(self._sent) + "".join(self._held)

    def _broken(self, text: str) -> str:
        so_far = self._so_far() if len(text) >= self._size else ""
        if so_far and text.startswith(so_far):  # a server that sends all of it each time
            self._note("tool_arguments_cumulative", "each piece repeated the ones before")
            self._cumulative = True
            self._scanner = ObjectScanner()
            self._scanner.feed(so_far)
            return self.feed(text)
        self._note(
            "tool_arguments_invalid", "arguments are not valid JSON; passed on as the model wrote them"
        )
        out, self._held = "".join([*self._held, text]), []
        self._sent.append(out)
        self._size += len(text)
        return out

    def _note(self, code: str, reason: str) -> None:
        if not self._warned:
            self._warned = True
            self._report.changed(code, "upstream.tool_calls", reason)


class OmittingGate(ArgumentGate):
    """Holds the arguments until they are whole, and leaves out those of `names` that are empty."""

    def __init__(self, report: Report, names: frozenset[str]) -> None:
        super().__init__(report)
        self._names = names
        self._whole: list[str] = []

    def feed(self, text: str) -> str:
        """As of any gate."""
        out = super().feed(text)  # which may come back to this method
        self._whole.append(out)
        return self._take() if self.complete else ""

    def pass_on(self, text: str) -> bool:  # noqa: ARG002 - it is held
        """None does."""
        return False

    def close(self) -> str:
        """As of any gate."""
        self._whole.append(super().close())
        return self._take()

    def _take(self) -> str:
        text, self._whole = "".join(self._whole), []
        arguments = _value(text)
        empty = self._names & empty_arguments(arguments) if isinstance(arguments, dict) else ()
        if not empty:
            return text
        kept = wire.dumps_text({name: value for name, value in arguments.items() if name not in empty})
        left_out = ", ".join(sorted(empty))[:_LONGEST_NAMES]
        reason = f"left out since they are empty, which the tool refused before: {left_out}"
        self._report.changed("empty_arguments_omitted", "upstream.tool_calls", reason)
        return kept


def argument_gate(left_out: frozenset[str] | None, report: Report) -> ArgumentGate:
    """The gate for a call; `left_out` are the arguments that are left out of it where they are empty."""
    return ArgumentGate(report) if left_out is None else OmittingGate(report, left_out)
