"""JSON on the wire: lenient in, valid UTF-8 out, numbers digit for digit.

orjson writes, and reads what is long; msgspec reads what is short, and numbers that orjson would change.
Where both refuse what a peer may legally or habitually send (lone surrogates, NaN, a byte-order mark), the
standard library decides; what leaves is always valid UTF-8 JSON. msgspec also finds where the parts of a
large document begin and end, at several times the speed of reading them.
"""

from __future__ import annotations

import base64
import gc
import json
import re
from collections.abc import Iterator
from operator import itemgetter
from typing import Any

import msgspec
import orjson

MOST_ELEMENTS = 500_000
"""What is read of an upstream at once; each takes up to 500 bytes of memory."""
MOST_LEVELS = 200
"""Levels of what is read of an upstream: orjson writes 254, and something stands around it."""
_PIECE = 256 << 10  # bytes that are looked at in one call, which keeps other threads waiting
_OTHERS = bytes(sorted(set(range(256)) - set(b",[{")))
_MINUS_ZERO = re.compile(rb"-0[\s,\]}]")  # an integer for msgspec, which has no sign then
_ZERO = 0  # as the interpreter has it once, so that neither False nor 0.0 is it
_SHORT = 16 << 10  # bytes: fewer are read as fast by msgspec
_TOO_DEEP = "nested too deeply"
_MOST_DIGITS = 4300  # of an integer that Python reads
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeError)
_BUT_LAST = itemgetter(slice(None, -1))
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
Raw = bytes | memoryview
"""A part of a JSON text."""


class WireError(ValueError):
    """Bytes that are not JSON. `position` is the offset of the fault in characters."""

    def __init__(self, message: str, position: int, line: int, column: int) -> None:
        super().__init__(message)
        self.position = position
        self.line = line
        self.column = column


class Number(float):
    """A number that Python's own would write differently: `literal` is how it came, and how it goes out."""

    __slots__ = ("literal",)

    def __init__(self, literal: str) -> None:
        self.literal = literal


def _decimal(literal: str) -> float:
    value = float(literal)
    return value if orjson.dumps(value) == literal.encode() else Number(literal)


def _integer(literal: str) -> float:
    return Number(literal) if literal == "-0" or len(literal) > _MOST_DIGITS else int(literal)


_read = msgspec.json.Decoder(float_hook=_decimal).decode
_HOOKS: dict[str, Any] = {"parse_float": _decimal, "parse_int": _integer}
LENIENT = json.JSONDecoder(strict=False, **_HOOKS)
"""Takes control characters in strings."""


def loads(data: bytes | str | memoryview) -> Any:
    """Parse one JSON value. Raises `WireError` with the place of the fault."""
    try:
        raw = data.encode() if isinstance(data, str) else data
        value = _loads_quickly(raw) if len(raw) >= _SHORT else None
        if value is not None:
            return value
        value = _read(raw)
        if not _MINUS_ZERO.search(raw):
            return value
    except _UNREADABLE:
        pass
    return _loads_plainly(data)


def _loads_quickly(raw: Raw) -> Any:
    """`loads` by orjson, which takes two thirds of the time for long strings; None where it is not sure.

    It reads a number that its types do not hold as a float, and -0 as 0. Whether there is one of these is
    asked level by level like `is_deeper`.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    level = [value]
    has_zero = False
    while level:
        if len(level) > _MANY or float in (kinds := set(map(type, level))):
            return None
        has_zero = has_zero or (int in kinds and any(held is _ZERO for held in level))
        level = gc.get_referents(*level)
    return None if has_zero and _MINUS_ZERO.search(raw) else value


def loads_bounded(data: bytes | str) -> Any:
    """`loads` of what an upstream sent: it takes the memory of `MOST_ELEMENTS` at most, and can be written.

    Raises `WireError` for more elements and for more than `MOST_LEVELS` too.
    """
    raw = data.encode("utf-8", "replace") if isinstance(data, str) else data
    if has_more_elements(raw, MOST_ELEMENTS):
        raise WireError(f"more than {MOST_ELEMENTS} elements", 0, 1, 1)
    value = loads(data)
    if len(raw) > 2 * MOST_LEVELS and is_deeper(value, MOST_LEVELS):
        raise WireError(_TOO_DEEP, 0, 1, 1)
    return value


def _loads_plainly(data: bytes | str | memoryview) -> Any:
    """`loads` by the standard library alone."""
    text = data if isinstance(data, str) else str(data, "utf-8-sig", errors="replace")
    try:
        return json.loads(text.removeprefix("\ufeff"), strict=True, **_HOOKS)
    except json.JSONDecodeError as error:
        raise WireError(error.msg, error.pos, error.lineno, error.colno) from None
    except RecursionError:
        raise WireError(_TOO_DEEP, 0, 1, 1) from None


def is_deeper(value: Any, limit: int) -> bool:
    """Whether objects and arrays stand in each other on more than `limit` levels in a parsed `value`.

    Asks the garbage collector, level by level, for what they hold: looking at each value costs four times
    more. It names the class of a `Number` too, from which the whole program is in reach; so what seems deep
    or large is looked at.
    """
    level = [value]
    for _ in range(limit):
        level = gc.get_referents(*level)
        if not level:
            return False
        if len(level) > _MANY:
            break
    return _is_deeper_plainly(value, limit)


def _is_deeper_plainly(value: Any, limit: int) -> bool:
    """`is_deeper` by looking at each value."""
    level: list[Any] = [value] if value.__class__ in _CONTAINERS else []
    for _ in range(limit):
        level = [held for held in gc.get_referents(*level) if held.__class__ in _CONTAINERS]
        if not level:
            return False
    return bool(level)


_CONTAINERS = frozenset((dict, list))
_MANY = 20_000


def fields(data: bytes) -> dict[str, Raw] | None:
    """The bytes of each value of a JSON object; None where `data` is none, or no valid JSON."""
    try:
        return {key: memoryview(raw) for key, raw in _FIELDS.decode(data).items()}
    except _UNREADABLE:
        return None


def elements(data: Raw) -> list[memoryview] | None:
    """The bytes of each element of a JSON array, like `fields`."""
    try:
        return [memoryview(raw) for raw in _ELEMENTS.decode(data)]
    except _UNREADABLE:
        return None


def strings(texts: list[bytes]) -> list[str] | None:
    """The values of JSON strings, given without their quotes; None where orjson does not take them all."""
    # The blanks keep a backslash at the end of one from reaching the quote that is not its own.
    try:
        values: list[str] = orjson.loads(b'["' + b' ","'.join(texts) + b' "]')
    except orjson.JSONDecodeError:
        return None
    return list(map(_BUT_LAST, values)) if len(values) == len(texts) else None


def canonical(texts: list[bytes], values: list[str]) -> list[bytes]:
    """JSON strings without their quotes, of which `values` are the values, as `dumps` writes them."""
    joined = b"".join(texts)
    if b"\\u" not in joined and b"\\/" not in joined:
        return texts  # any other way to write a character is the only one
    return [dumps(value)[1:-1] for value in values]


def dumps(value: Any) -> bytes:
    """Serialise to compact UTF-8 JSON; lone surrogates become U+FFFD, NaN and infinities become null."""
    try:
        return orjson.dumps(value, _literal)
    except TypeError:
        return orjson.dumps(_clean(value), _literal)


def written(json: bytes) -> Any:
    """JSON that is written already, as a value for `dumps`."""
    return orjson.Fragment(json)


def dumps_text(value: Any) -> str:
    """`dumps` as a string, for JSON inside JSON such as tool arguments."""
    return dumps(value).decode()


def to_base64url(value: Any) -> str:
    """`value` as JSON in base64url without padding: letters, digits, `-` and `_` only."""
    return base64.urlsafe_b64encode(dumps(value)).rstrip(b"=").decode()


def from_base64url(text: str) -> Any:
    """The value that `to_base64url` wrote. Raises `ValueError` for anything else, without quoting it."""
    return loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))


def _literal(value: Any) -> Any:
    """What orjson writes for a value that it does not know."""
    if isinstance(value, Number):
        return orjson.Fragment(value.literal)
    raise TypeError(f"{type(value).__name__} is no JSON")


def _clean(value: Any) -> Any:
    """A copy of `value` that orjson accepts: no lone surrogates, no integers beyond 64 bits."""
    if isinstance(value, str):
        # by way of UTF-16, where the halves of a pair that were escaped one by one find each other
        return (
            value if _is_utf8(value) else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        )
    if isinstance(value, dict):
        return {_clean(str(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**64:
        return orjson.Fragment(str(value))
    return value


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def has_more_elements(data: bytes, limit: int) -> bool:
    """Whether the JSON text `data` has more than `limit` elements, which a `,`, `[` or `{` precedes.

    Costs nothing for a text that is too short for them, and a nanosecond or two per byte for most others.
    """
    if len(data) <= 2 * limit:
        return False
    total = 0
    for start in range(0, len(data), _PIECE):
        total += len(data[start : start + _PIECE].translate(None, _OTHERS))
        if total > limit:  # but most of them may stand in strings
            return _has_more_outside_of_strings(data, limit)
    return False


def _has_more_outside_of_strings(data: bytes, limit: int) -> bool:
    total = 0
    in_string = False
    for piece in _pieces(data):
        parts = piece.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        total += len(b"".join(parts[in_string::2]).translate(None, _OTHERS))
        if total > limit:
            return True
        in_string ^= len(parts) % 2 == 0
    return False


def _pieces(data: bytes) -> Iterator[bytes]:
    """Pieces of `data`, none of which ends within an escape."""
    start = 0
    while start < len(data):
        piece = data[start : start + _PIECE]
        if (len(piece) - len(piece.rstrip(b"\\"))) % 2 and start + len(piece) < len(data):
            piece = data[start : start + _PIECE + 1]
        yield piece
        start += len(piece)


# --- what stands in JSON of any shape: nothing here fails ---


def value_at(value: Any, *path: str) -> Any:
    """What stands at `path`, key by key; None where there is nothing, or no object on the way."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def object_at(value: Any, *path: str) -> dict[str, Any]:
    """The object at `path`; {} for anything else."""
    found = value_at(value, *path)
    return found if isinstance(found, dict) else {}


def list_at(value: Any, *path: str) -> list[Any]:
    """The array at `path`; [] for anything else."""
    found = value_at(value, *path)
    return found if isinstance(found, list) else []


def type_of(block: Any) -> str:
    """The type of a block, a tool or an edit; "" where it has none."""
    kind = block.get("type") if isinstance(block, dict) else None
    return kind if isinstance(kind, str) else ""


def objects_in(value: Any) -> list[dict[str, Any]]:
    """The objects of an array; [] for what is no array."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
