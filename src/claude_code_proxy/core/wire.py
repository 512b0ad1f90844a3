"""JSON on the wire: lenient in, valid UTF-8 out.

orjson does the work. Where it refuses what a peer may legally or habitually send (lone surrogates, NaN,
a byte-order mark), the standard library decides; what leaves is always valid UTF-8 JSON. msgspec finds where
the parts of a large document begin and end, at several times the speed of reading them.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import msgspec
import orjson

_LONG_NUMBER = re.compile(rb"[0-9]{19}")
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])


class WireError(ValueError):
    """Bytes that are not JSON. `position` is the offset of the fault in characters."""

    def __init__(self, message: str, position: int, line: int, column: int) -> None:
        super().__init__(message)
        self.position = position
        self.line = line
        self.column = column


def loads(data: bytes | str | memoryview) -> Any:
    """Parse one JSON value. Raises `WireError` with the place of the fault."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return _loads_exactly(data)


def _loads_exactly(data: bytes | str | memoryview) -> Any:
    """`loads` by the standard library alone."""
    text = data if isinstance(data, str) else str(data, "utf-8-sig", errors="replace")
    try:
        return json.loads(text.removeprefix("\ufeff"), strict=True)
    except json.JSONDecodeError as error:
        raise WireError(error.msg, error.pos, error.lineno, error.colno) from None
    except RecursionError:
        raise WireError("nested too deeply", 0, 1, 1) from None


def fields(data: bytes) -> dict[str, memoryview] | None:
    """The bytes of each value of a JSON object; None where `data` is none, or no valid JSON."""
    try:
        return {key: memoryview(raw) for key, raw in _FIELDS.decode(data).items()}
    except _UNREADABLE:
        return None


def elements(data: memoryview) -> list[memoryview] | None:
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
    return [value[:-1] for value in values] if len(values) == len(texts) else None


def canonical(texts: list[bytes], values: list[str]) -> list[bytes]:
    """JSON strings without their quotes, of which `values` are the values, as `dumps` writes them."""
    joined = b"".join(texts)
    if b"\\u" not in joined and b"\\/" not in joined:
        return texts  # any other way to write a character is the only one
    return [dumps(value)[1:-1] for value in values]


def dumps(value: Any) -> bytes:
    """Serialise to compact UTF-8 JSON; lone surrogates become U+FFFD, NaN and infinities become null."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return orjson.dumps(_clean(value))


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
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    # The digits of a number beyond 64 bits are the provider's, and orjson would round them.
    return _loads_exactly(data) if _LONG_NUMBER.search(data) else loads(data)


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
