"""Header fields: in order, repeats kept, found by name without regard to case (RFC 9110 5.1 to 5.3)."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping
from typing import Self

from claude_code_proxy.http1.errors import RequestError

_NAME_CHARACTERS = frozenset("!#$%&'*+-.^_`|~" + string.digits + string.ascii_letters)  # RFC 9110 5.6.2
_WRITTEN_BY_CLIENT = frozenset(("host", "content-length", "transfer-encoding", "proxy-authorization"))
_BREAKS_OUT = re.compile("[\r\n\0]")  # RFC 9110 5.5
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Headers:
    """The header fields of a request or an answer.

    Names and values are text of which every character is one byte (latin-1). Never shows a value when it is
    printed: one of them is a key.
    """

    __slots__ = ("_fields", "_first")

    def __init__(self, fields: Mapping[str, str] | None = None) -> None:
        self._fields: list[tuple[str, str]] = []
        self._first: dict[str, str] = {}  # the first value by lower-case name
        if fields:
            self._first = {name.lower(): value for name, value in fields.items()}
            self._fields = list(fields.items())
            if len(self._first) < len(fields):  # the last of each name counts
                self._first, self._fields = {}, []
                self.update(fields)

    @classmethod
    def received(cls, raw: Iterable[tuple[bytes, bytes]]) -> Self:
        """The fields of an answer as the parser saw them."""
        self = cls()
        fields, first = self._fields, self._first
        for raw_name, raw_value in raw:
            name = raw_name.decode("latin-1")
            value = raw_value.decode("latin-1").strip(" \t")
            fields.append((name, value))
            first.setdefault(name.lower(), value)
        return self

    def copy(self) -> Headers:
        """The same fields, to be changed apart from these."""
        copy = Headers()
        copy._fields, copy._first = self._fields.copy(), self._first.copy()
        return copy

    # --- looking --------------------------------------------------------------------------------------
    def get(self, name: str, default: str | None = None) -> str | None:
        """The first value under `name`."""
        return self._first.get(name.lower(), default)

    def first_of(self, names: Iterable[str]) -> str:
        """The first value that is not empty under one of `names`, which are in lower case; "" without one."""
        first = self._first
        if first.keys().isdisjoint(names):
            return ""
        return next((first[name] for name in names if first.get(name)), "")

    def all(self, name: str) -> list[str]:
        """Every value under `name`."""
        wanted = name.lower()
        if wanted not in self._first:
            return []
        if len(self._first) == len(self._fields):  # no name stands twice
            return [self._first[wanted]]
        return [value for name, value in self._fields if name.lower() == wanted]

    def items(self) -> list[tuple[str, str]]:
        """Every field, names as they are written."""
        return list(self._fields)

    @property
    def is_strict(self) -> bool:
        """Whether HTTP/1.1 could have brought them: no other names, no control characters in values."""
        return not any(not _is_name(name) or _CONTROL.search(value) for name, value in self._fields)

    def __getitem__(self, name: str) -> str:
        return self._first[name.lower()]

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._first

    def __repr__(self) -> str:
        return f"<Headers: {', '.join(name for name, _ in self._fields)}>"

    # --- changing -------------------------------------------------------------------------------------
    def add(self, name: str, value: str) -> None:
        """Append a field beside those of the same name."""
        self._fields.append((name, value))
        self._first.setdefault(name.lower(), value)

    def setdefault(self, name: str, value: str) -> None:
        """Append a field unless there is one of this name."""
        if name not in self:
            self.add(name, value)

    def update(self, fields: Mapping[str, str]) -> None:
        """Set each of `fields`."""
        for name, value in fields.items():
            self[name] = value

    def __setitem__(self, name: str, value: str) -> None:
        """Put one field in place of all of this name."""
        lower = name.lower()
        if lower in self._first:
            self.discard(name)
        self._first[lower] = value
        self._fields.append((name, value))

    def discard(self, name: str) -> None:
        """Remove every field of this name."""
        lower = name.lower()
        if self._first.pop(lower, None) is not None:
            self._fields = [field for field in self._fields if field[0].lower() != lower]

    # --- sending --------------------------------------------------------------------------------------
    def encode(self) -> bytes:
        """The fields as they go out, each line ended.

        Raises `RequestError` for what cannot be sent: a name that is none, a value that would break out of
        its line, a field that the client writes itself.
        """
        fields = self._fields
        lines = "\r\n".join([*map(": ".join, fields), ""])
        # the block as a whole: a line break anywhere but at the ends of lines shows in the counts
        if (
            lines.count("\n") == lines.count("\r") == len(fields)
            and "\0" not in lines
            and "" not in self._first
            and _NAME_CHARACTERS.issuperset("".join(self._first))
            and self._first.keys().isdisjoint(_WRITTEN_BY_CLIENT)
        ):
            try:
                return lines.encode("latin-1")
            except UnicodeEncodeError:  # which quotes what it cannot encode
                pass
        raise RequestError(_fault(fields))


def _is_name(text: str) -> bool:
    return text != "" and _NAME_CHARACTERS.issuperset(text)


def _fault(fields: list[tuple[str, str]]) -> str:
    """Which of `fields` cannot be sent, in words without any value."""
    for name, value in fields:
        if not _is_name(name):
            return f"{name!a} is not a header name"
        if name.lower() in _WRITTEN_BY_CLIENT:
            return f"the header {name} is set by the client itself"
        if _BREAKS_OUT.search(value):
            return f"the value of the header {name} contains a line break or NUL"
    name = next(name for name, value in fields if max(value, default="") > "\xff")
    return f"the value of the header {name} contains a character that is no single byte"
