"""The values of settings: each function reads one from text; its `ValueError` says what it must be."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

from .problems import did_you_mean
from .sizes import parse_size

_YES = ("yes", "true", "on", "1")
_NO = ("no", "false", "off", "0")


def host(text: str) -> str:
    """A host name or an address, without its brackets."""
    if any(character.isspace() or character == "/" for character in text):
        raise ValueError("must be a host name or an address like 127.0.0.1")
    return text.removeprefix("[").removesuffix("]")


def listen(text: str) -> tuple[str, int]:
    """A port of this machine, or an address with a port: where to listen."""
    where, colon, port = text.rpartition(":")
    try:
        number = whole(0, 65535)(port)
    except ValueError:
        number = -1
    if number < 0 or (colon and not where) or (":" in where and not where.startswith("[")):
        raise ValueError("must be a port, or an address and a port like 127.0.0.1:9082 or [::1]:9082")
    return host(where) if where else "127.0.0.1", number


def file(text: str) -> Path:
    """A path; `~` is the home directory."""
    return Path(text).expanduser()


def file_or_no(text: str) -> Path | None:
    """A path, or None for `no`."""
    return None if text.lower() in _NO else file(text)


def one_of(words: tuple[str, ...]) -> Callable[[str], str]:
    """One of `words`, in any case."""

    def parse(text: str) -> str:
        word = text.lower()
        if word not in words:
            hint = did_you_mean(word, words)
            raise ValueError(f"must be one of {', '.join(words)}" + (f" ({hint})" if hint else ""))
        return word

    return parse


def whole(low: int, high: int) -> Callable[[str], int]:
    """A whole number from `low` to `high`."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return parse


def seconds(low: float) -> Callable[[str], float]:
    """A finite number of seconds, at least `low`."""

    def parse(text: str) -> float:
        reason = "must be a number of seconds" + (", 0 or more" if low == 0 else f", at least {low:g}")
        try:
            value = float(text)
        except ValueError as error:
            raise ValueError(reason) from error
        if not (math.isfinite(value) and value >= low):
            raise ValueError(reason)
        return value

    return parse


def search_url(text: str) -> str:
    """An address with a place for the query."""
    if not text.startswith(("http://", "https://")) or "{query}" not in text or any(map(str.isspace, text)):
        raise ValueError("must be an http(s) address with {query} in it")
    return text


def header(text: str) -> str:
    """The name of a header."""
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", text):
        raise ValueError("must be the name of a header")
    return text


def size(text: str) -> int:
    """A size in bytes."""
    return parse_size(int(text) if text.isascii() and text.isdigit() else text, binary=True)


def switch(text: str) -> bool:
    """Yes or no."""
    word = text.lower()
    if word not in _YES and word not in _NO:
        raise ValueError("must be yes or no")
    return word in _YES


def hosts(text: str) -> tuple[str, ...]:
    """Host names and addresses, separated by commas; `*` is any."""
    return tuple(host(name.strip()).lower() for name in text.split(",") if name.strip())
