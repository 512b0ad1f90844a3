"""Captured bodies without what people and models said: filler of the same length and shape in its place.

Every letter becomes an x, every digit a 0, with as many bytes as it had; what else there is stays. So JSON
stays valid, each piece of a stream stays as long as it was, and a conversion of what is left gives what is
left of the conversion. Tool names, types, ids and the names of parameters stay.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from claude_code_proxy.core.continuity import SIGNATURE_PREFIX

_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[{}\[\]:,]|[^"{}\[\]:,]+', re.DOTALL)
_UNIT = re.compile(r"\\u[0-9a-fA-F]{4}|\\.|[^\\]|\\", re.DOTALL)
_FIELD = re.compile(r"(?:data|error)[ \t]*:[ ]?")
_NO_DATA = re.compile(r"(?:event|id|retry)?:|(?:data:)?[ ]?\[DONE\]")
_NAME = re.compile(r"[A-Za-z_$][\w.$-]{0,60}\Z", re.ASCII)
_WORDS = frozenset((
    "adaptive", "any", "assistant", "auto", "base64", "concise", "content", "default", "detailed",
    "developer", "disabled", "enabled", "ephemeral", "false", "high", "json_object", "json_schema", "low",
    "max", "max_tokens", "medium", "minimal", "none", "null", "omitted", "required", "standard", "stop",
    "summarized", "system", "text", "tool", "true", "url", "user", "xhigh", "NaN", "Infinity", "-Infinity",
    "5m", "1h",
))  # fmt: skip
"""What stays wherever it is the whole of a value."""
_KEPT = frozenset((
    "allowed_callers", "betas", "call_id", "code", "const", "detail", "display", "effort", "encoding", "enum",
    "event", "file_id", "finish_reason", "format", "id", "include", "item_id", "media_type", "model", "name",
    "native_finish_reason", "object", "param", "pattern", "phase", "provider", "reasoning_effort",
    "request_id", "required", "response_id", "role", "service_tier", "speed", "status", "stop", "stop_reason",
    "stop_sequences", "system_fingerprint", "tool_call_id", "tool_name", "tool_use_id", "ttl", "type",
    "verbosity", "$ref", "$schema",
))  # fmt: skip
"""The keys whose strings say nothing of anybody."""
_INDEXES = frozenset(("index", "output_index", "content_index", "summary_index", "item_id"))
_BLOB = 40
"""Characters of an encoded image that stay: its kind and its size."""
_MARKS = re.compile(
    r"https?://"
    rf"|data:(?:application|audio|image|video)/[\w+.;=-]{{1,90}};base64,[A-Za-z0-9+/=]{{0,{_BLOB}}}"
    r"|</?(?:antml:)?(?:think|thinking|tool_calls?|function_calls?|function|parameter|invoke|system-reminder)\b"
    r"|<[|\uff5c][^<>|\uff5c]{1,60}[|\uff5c]>"
    r"|x-anthropic-billing-header:"
)
"""What stays within a text: the notations that conversions look for."""
_QUOTE = 16
"""Characters in a row by which an error message quotes the request."""
_PART = re.compile(r'[^"\\]{4,}')
"""What may be a whole text of the request, which an error quotes as JSON."""
_WORD = re.compile(r"\w{6,60}")
_DIGIT = re.compile(r"\d")
_MOST_PARTS = 200
"""Words of an error that may be parts of longer words of the request; so many are looked for."""


_NUMBER, _NO_JSON = "\0number", "\0text"
"""The last of the path of what is no string, which no key is called."""


class _Table(dict[int, int]):
    """For `str.translate`: each character's filler, which takes as many bytes."""

    def __missing__(self, code: int) -> int:
        filler = code
        if 0xD800 <= code < 0xE000:  # halves of a pair, each escaped
            filler = _SMILE[0] if code < 0xDC00 else _SMILE[1]
        elif code >= 0x10000:
            filler = 0x1F642
        elif (character := chr(code)).isalnum():
            size = len(character.encode())
            if size == 1:
                filler = ord("0" if character.isdigit() else "X" if character.isupper() else "x")
            else:
                filler = ord("\u00e9" if size == 2 else "\u6587")
        self[code] = filler
        return filler


_SMILE = (0xD83D, 0xDE42)
_TABLE = _Table()
_DIGITS = str.maketrans("0123456789", "1" * 10)


def fill_text(text: str) -> str:
    """Filler for a text, but for its marks."""
    parts: list[str] = []
    start = 0
    for mark in _MARKS.finditer(text):
        parts += [text[start : mark.start()].translate(_TABLE), mark[0]]
        start = mark.end()
    return "".join([*parts, text[start:].translate(_TABLE)])


@dataclass(slots=True)
class _Frame:
    """An object or array that is open. `free`: all in it is somebody's. `marks`: which of several it is."""

    key: str = ""
    free: bool = False
    kind: str = ""
    marks: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Slot:
    """A string, without its quotes, that needs filler: where it is, and what it is a part of."""

    start: int
    end: int
    frames: tuple[_Frame, ...]
    path: tuple[str, ...]

    @property
    def channel(self) -> tuple[object, ...]:
        """The same for all strings of a stream that are pieces of one."""
        return self.path, tuple(tuple(frame.marks.items()) for frame in self.frames)

    @property
    def is_json(self) -> bool:
        """Whether it is (a piece of) the arguments of a call."""
        key, kind = self.path[-1], self.frames[-1].kind
        return key in ("arguments", "partial_json") or (key == "delta" and "arguments" in kind)


class Filler:
    """Fills the bodies of one exchange. `request` are the client's bytes.

    What an upstream says of an error stays, since it decides what happens next, unless it has some of the
    request as it came; and but for single words and texts of it.
    """

    def __init__(self, request: bytes) -> None:
        self._request = text = request.decode("utf-8", "replace")
        slots = self._slots(text, 0) if _is_json(text) else []
        self._texts = {text[slot.start : slot.end] for slot in slots} or {text}
        self._said = "\0".join(self._texts)

    def body(self, data: bytes) -> bytes:
        """A body that is one JSON value, or a text."""
        return _in_text(data, lambda text: self._json(text) if _is_json(text) else fill_text(text))

    def flow(self, data: bytes, status: int) -> bytes:
        """A response: an event stream, or a body."""
        if status >= 400 and not self._has_of_it(data.decode("utf-8", "replace")):
            return _in_text(data, self._error)
        if _is_json(data.decode("latin-1")) and b"\ndata:" not in data:
            return self.body(data)
        return _in_text(data, self._stream)

    def _has_of_it(self, text: str) -> bool:
        """Whether `text` has some of the request as it came, so that much of it may be the request's."""
        steps = range(0, len(text) - _QUOTE + 1, _QUOTE // 2)
        return any(text[at : at + _QUOTE] in self._request for at in steps)

    def _error(self, text: str) -> str:
        """The text of an error with filler for what it quotes of the request's texts."""
        said = self._said
        grams = {text[at : at + _QUOTE] for at in range(len(text) - _QUOTE + 1)}
        found = grams and {gram for at in range(len(said)) if (gram := said[at : at + _QUOTE]) in grams}
        spans = [(at, at + _QUOTE) for at in range(len(text)) if text[at : at + _QUOTE] in found]
        # a word with a digit in it is a name or a number of somebody's, and a quote too
        odd = [word for word in _WORD.finditer(text) if _DIGIT.search(word[0])]
        words = set(_WORD.findall(said)) if odd else set()
        parts = {word for word in list(dict.fromkeys(word[0] for word in odd))[:_MOST_PARTS] if word in said}
        spans += [word.span() for word in odd if word[0] in words or word[0] in parts]
        spans += [part.span() for part in _PART.finditer(text) if part[0] in self._texts]
        quoted = bytearray(len(text))
        for start, end in spans:
            quoted[start:end] = b"\1" * (end - start)
        units = _UNIT.findall(text)
        filled = "".join(unit if len(unit) == 2 else _through(unit, fill_text) for unit in units)
        return "".join(new if mark else old for old, new, mark in zip(text, filled, quoted, strict=True))

    def _stream(self, text: str) -> str:
        slots: list[_Slot] = []
        at = 0
        for line in text.splitlines(keepends=True):
            head = _FIELD.match(line)
            start = head.end() if head else 0
            said = line[start:].rstrip("\r\n")
            if _is_json(said):
                slots += self._slots(said, at + start)
            elif said and not _NO_DATA.match(line):
                slots.append(_Slot(at + start, at + start + len(said), (), (_NO_JSON,)))
            at += len(line)
        whole: dict[tuple[object, ...], list[_Slot]] = {}
        for slot in slots:
            whole.setdefault(slot.channel, []).append(slot)
        filled: list[tuple[int, int, str]] = []
        for pieces in whole.values():
            joined = self._fill(pieces[0], "".join(text[slot.start : slot.end] for slot in pieces))
            start = 0
            for slot in pieces:
                end = start + slot.end - slot.start
                filled.append((slot.start, slot.end, joined[start:end]))
                start = end
        return _put(text, sorted(filled))

    def _json(self, text: str, *, free: bool = False) -> str:
        slots = self._slots(text, 0, free=free)
        return _put(text, [(s.start, s.end, self._fill(s, text[s.start : s.end])) for s in slots])

    def _fill(self, slot: _Slot, raw: str) -> str:
        """Filler for what stands between the quotes of a string."""
        key = slot.path[-1]
        if key in (_NUMBER, _NO_JSON):  # no string: a number of somebody's, or no JSON
            return raw.translate(_DIGITS) if key == _NUMBER else fill_text(raw)
        if slot.is_json and _is_json(raw):
            return _through(raw, lambda said: self._json(said, free=True))
        if "error" in slot.path and not slot.frames[-1].free and not self._has_of_it(raw):
            return self._error(raw)
        if raw.startswith(SIGNATURE_PREFIX):
            return SIGNATURE_PREFIX + self._seal(raw.removeprefix(SIGNATURE_PREFIX))
        if key == "data" and slot.frames and slot.frames[-1].kind == "base64":
            return raw[:_BLOB] + raw[_BLOB:].translate(_TABLE)
        return _through(raw, fill_text)

    def _seal(self, text: str) -> str:
        """A seal of ours (`core.continuity`) with filler in what it gives back."""
        try:
            content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
        except ValueError:
            return fill_text(text)
        whose, its, items = content.partition('"d":')
        filled = (whose + its + self._json(items)).encode()
        return base64.urlsafe_b64encode(filled).rstrip(b"=").decode()

    def _slots(self, text: str, offset: int, *, free: bool = False) -> list[_Slot]:
        """The strings of the JSON `text` that need filler, however broken it is."""
        slots: list[_Slot] = []
        frames = [_Frame(free=free)]
        for start, token, is_key in _tokens(text):
            frame = frames[-1]
            if token in ("{", "["):
                frames.append(_Frame(frame.key, frame.free or frame.key + token == "input{"))
            elif token in ("}", "]"):
                if len(frames) > 1:
                    frames.pop()
            elif token[0] not in ":,":
                bare = token[1:].removesuffix('"') if token[0] == '"' else token.strip()
                if is_key:
                    frame.key = bare
                    needed = frame.free and not _NAME.match(bare)
                else:
                    if frame.key == "type":
                        frame.kind = bare
                    elif frame.key in _INDEXES:
                        frame.marks[frame.key] = bare
                    needed = _needs_filler(frame, token, bare)
                if needed and bare:
                    begin = offset + start + token.index(bare)
                    key = frame.key if token[0] == '"' else _NUMBER if _is_number(bare) else _NO_JSON
                    path = (*(outer.key for outer in frames[:-1]), "" if is_key else key)
                    slots.append(_Slot(begin, begin + len(bare), tuple(frames), path))
        return slots


def _needs_filler(frame: _Frame, token: str, bare: str) -> bool:
    if bare in _WORDS:
        return False
    if token[0] != '"':
        return frame.free or not _is_number(bare)
    return frame.free or frame.key not in _KEPT


def _is_number(text: str) -> bool:
    return text.lstrip("-")[:1].isdigit()


def _is_json(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[") and text.strip() != "[DONE]"


def _in_text(data: bytes, fill: Callable[[str], str]) -> bytes:
    """What `fill` makes of `data` as text; bytes that are no UTF-8 count as one character each."""
    try:
        return fill(data.decode()).encode()
    except UnicodeDecodeError:
        return fill(data.decode("latin-1")).encode("latin-1")


def _tokens(text: str) -> Iterator[tuple[int, str, bool]]:
    """The tokens of JSON with their places; the last says whether it is a key."""
    found = [(token.start(), token[0]) for token in _TOKEN.finditer(text) if not token[0].isspace()]
    for number, (start, token) in enumerate(found):
        following = found[number + 1][1] if number + 1 < len(found) else ""
        yield start, token, token[0] == '"' and following == ":"


def _through(raw: str, fill: Callable[[str], str]) -> str:
    """What stands in a JSON string, filled by what it says; each escape stays one."""
    if "\\" not in raw:
        return fill(raw)
    units = _UNIT.findall(raw)
    said = "".join(map(_said, units))
    return "".join(
        unit if was == now else f"\\u{ord(now):04x}" if len(unit) > 1 else now
        for unit, was, now in zip(units, said, fill(said), strict=True)
    )


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def _said(unit: str) -> str:
    if len(unit) == 1:
        return unit
    return chr(int("0x" + unit[2:], 0)) if len(unit) > 2 else _ESCAPES.get(unit[1], unit[1])


def _put(text: str, pieces: list[tuple[int, int, str]]) -> str:
    """`text` with `pieces` (start, end, what) in the place of what was there."""
    parts: list[str] = []
    done = 0
    for start, end, filled in pieces:
        parts += [text[done:start], filled]
        done = end
    return "".join([*parts, text[done:]])
