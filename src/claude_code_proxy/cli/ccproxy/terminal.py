"""Asking the user, where there is one."""

from __future__ import annotations

import sys
from collections.abc import Sequence

_SHOWN = 15


def is_interactive() -> bool:
    """Whether a person can be asked: both what they type and what they are asked is on a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str) -> str:
    """What the user types, without spaces around it. Raises `KeyboardInterrupt` at the end of the input."""
    print(question, end=" ", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        print(file=sys.stderr)
        raise KeyboardInterrupt
    return line.strip()


def agrees(question: str, *, usually: bool) -> bool:
    """Whether the user says yes; Enter alone means `usually`."""
    said = ask(f"{question} [{'Y/n' if usually else 'y/N'}]").lower()
    return said in ("y", "yes") or (usually and not said)


def pick(what: str, rows: Sequence[tuple[str, str]]) -> str:
    """One of `rows` (name, remark), by its number, its name or any part of it that fits only one.

    Where no name fits, the remarks count. A part that fits several shows these. Raises `KeyboardInterrupt` at
    the end of the input.
    """
    shown = list(rows)
    while True:
        _show(shown)
        said = ask(f"{what} (number, name or a part of it):")
        if said.isascii() and said.isdigit() and 0 < int(said) <= min(len(shown), _SHOWN):
            return shown[int(said) - 1][0]
        if any(name == said for name, _ in rows):
            return said
        parts = said.lower().split()
        fitting = [row for row in rows if all(part in row[0].lower() for part in parts)]
        fitting = fitting or [row for row in rows if all(part in row[1].lower() for part in parts)]
        if said and len(fitting) == 1:
            print(fitting[0][0], file=sys.stderr)
            return fitting[0][0]
        if said and not fitting:
            print(f"nothing fits {said!r}", file=sys.stderr)
        shown = fitting or list(rows)


def _show(rows: Sequence[tuple[str, str]]) -> None:
    shown = rows[:_SHOWN]
    width = max(len(name) for name, _ in shown)
    for number, (name, remark) in enumerate(shown, 1):
        print(f"{number:3}  {name:{width}}  {remark}".rstrip(), file=sys.stderr)
    if len(rows) > len(shown):
        print(f"     and {len(rows) - len(shown)} more: type a part of the name", file=sys.stderr)
