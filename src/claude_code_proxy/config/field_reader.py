"""The fields of one entry of a configuration file: read by kind, and every problem noted where it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from claude_code_proxy.config.problems import did_you_mean
from claude_code_proxy.config.sizes import parse_size
from claude_code_proxy.config.value_kinds import BadValue, convert, shown

Note = Callable[[str | None, str, str], None]
"""Notes a problem: the key (None: the entry itself), what is wrong, and how to fix it."""

T = TypeVar("T")


class FieldReader:
    """Reads `values`; what is wrong goes to `note` and reads as the default."""

    def __init__(self, values: Mapping[str, Any], note: Note) -> None:
        self.values = values
        self._note = note

    def problem(self, key: str | None, what: str, hint: str = "") -> None:
        """Note what is wrong with `key`, or with `key.inner` of a mapping."""
        self._note(key, what, hint)

    def has(self, key: str) -> bool:
        """Whether the entry says anything of `key`."""
        return key in self.values

    def take(self, key: str, kind: Any, *, default: T) -> T:
        """The value of `key` as `kind`, as `value_kinds.convert` takes it."""
        if not self.has(key):
            return default
        try:
            value: T = convert(self.values[key], kind)
        except BadValue as error:
            self.problem(key, f"{key} {error}", error.hint)
            return default
        return value

    def size(self, key: str) -> int | None:
        """A number of tokens or bytes, as people write it."""
        if not self.has(key):
            return None
        try:
            return parse_size(self.values[key])
        except ValueError as error:
            self.problem(key, f"{key} {error}, not {shown(self.values[key])}")
            return None

    def seconds(self, key: str, *, zero: bool = False) -> float | None:
        """A time above 0, or 0 where that means something."""
        value = self.take(key, float, default=1.0) if self.has(key) else None
        if value is not None and not (0 < value < float("inf") or (zero and value == 0)):
            self.problem(key, f"{key} must be a number of seconds above 0, not {shown(self.values[key])}")
        return value

    def text(self, key: str, *, secret: bool = False) -> str | None:
        """A text without white space around it; None where there is none. A `secret` one is not shown."""
        if not self.has(key):
            return None
        if secret and not isinstance(self.values[key], str):
            self.problem(key, f"{key} must be text")
            return None
        text: str = self.take(key, str, default="?").strip()
        if not text:
            self.problem(key, f"{key} is empty")
        return text

    def required_text(self, key: str, example: str, *, secret: bool = False) -> str:
        """As `text`, but that it has to be there; `example` shows how it is written."""
        if not self.has(key):
            self.problem(None, f"{key} is missing", f"add {example}")
        return self.text(key, secret=secret) or ""

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts without empty ones, each once."""
        named: tuple[str, ...] = self.take(key, tuple[str, ...], default=())
        return tuple(dict.fromkeys(name.strip() for name in named))

    def unknown(self, known: Iterable[str]) -> None:
        """Note every key that is not `known`."""
        known = tuple(known)
        for key in self.values:
            if key not in known:
                self.problem(key, f'unknown key "{key}"', did_you_mean(key, known))
