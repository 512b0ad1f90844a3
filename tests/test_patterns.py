"""No regular expression takes more than linear time, whatever others send.

Each compiled pattern of the package is searched for in texts made from itself: every piece of it repeated, with
what stands before it and something that does not match behind. Four times the length may take four times as
long; a pattern that reads the same text again and again takes sixteen times as long.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import claude_code_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

parser: Any = importlib.import_module("re._parser")
_LENGTHS = (12, 16, 20, 24, 100, 300, 1000, 3000, 12_000)
_SLOW = 0.006  # seconds; 12,000 characters read again from each of them are 72 million steps
_MOST_TAKEN = 100_000  # bytes; a group that may be given back takes fifty and more for each time
_SUPER_LINEAR = 9.0  # times as long for four times the length


def _patterns_of(value: Any, depth: int = 0) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, tuple | list | set | frozenset) and depth < 4:
        for item in value:
            yield from _patterns_of(item, depth + 1)
    elif isinstance(value, dict) and depth < 4:
        for item in (*value.keys(), *value.values()):
            yield from _patterns_of(item, depth + 1)


def _searched(module: ModuleType, name: str) -> bool:
    """Whether the pattern of this name looks for its text anywhere: `match` and `fullmatch` look in one place."""
    assert module.__file__
    source = Path(module.__file__).read_text("utf-8")
    return bool(re.search(rf"\b{name}\b(?!\.(?:full)?match\b| = |: )", source))


def _all_patterns() -> dict[str, tuple[re.Pattern[Any], bool]]:
    """Each pattern by the place of its name, and whether it is searched for."""
    found: dict[str, tuple[re.Pattern[Any], bool]] = {}
    for module_info in pkgutil.walk_packages(claude_code_proxy.__path__, "claude_code_proxy."):
        room = module_info.name.removeprefix("claude_code_proxy.")
        if not f"{room}.".startswith(ROOMS):
            continue
        try:
            module = importlib.import_module(module_info.name)
        except ImportError:  # an engine that is not installed
            continue
        for name, value in vars(module).items():
            for number, pattern in enumerate(_patterns_of(value)):
                found.setdefault(f"{room}.{name}[{number}]", (pattern, _searched(module, name)))
    unique = {(pattern.pattern, searched): name for name, (pattern, searched) in found.items()}
    return {name: found[name] for name in sorted(unique.values())}


ROOMS = ("core.", "server.", "http1.", "transports.")
PATTERNS = _all_patterns()


def _letter(items: Any) -> str:
    """A character of a class."""
    negated = any(str(kind) == "NEGATE" for kind, _ in items)
    allowed = "".join(_one(kind, value) for kind, value in items if str(kind) != "NEGATE")
    if not negated:
        return allowed[:1] or "a"
    pattern = re.compile("[^" + re.escape(allowed) + "]") if allowed else re.compile(".", re.DOTALL)
    return next(letter for letter in "aA1 _<\"'-.\n" if pattern.match(letter))


def _one(kind: Any, value: Any) -> str:
    name = str(kind)
    if name == "LITERAL":
        return chr(value)
    if name == "RANGE":
        return chr(value[0])
    if name == "CATEGORY":
        return {"CATEGORY_DIGIT": "1", "CATEGORY_SPACE": " ", "CATEGORY_WORD": "a"}.get(str(value), "-")
    return "a"


def _sample(tree: Any, pieces: list[tuple[str, str]], before: str = "") -> str:
    """A text that `tree` matches. `pieces` gets each part of it, with what stands before that part."""
    text = ""
    for kind, value in tree:
        name = str(kind)
        start = before + text
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            low, high, body = value
            unit = _sample(body, pieces, start)
            if int(high) > 1:
                pieces.append((start, unit))
            text += unit * max(int(low), 1)
        elif name == "SUBPATTERN":
            text += _sample(value[3], pieces, start)
        elif name == "ATOMIC_GROUP":
            text += _sample(value, pieces, start)
        elif name == "BRANCH":
            texts = [_sample(branch, pieces, start) for branch in value[1]]
            pieces.extend((start, part) for part in texts)
            text += texts[0]
        elif name == "IN":
            text += _letter(value)
        elif name == "NOT_LITERAL":
            text += "a" if value != ord("a") else "b"
        elif name in ("LITERAL", "ANY"):
            text += chr(value) if name == "LITERAL" else "a"
    return text


def _attacks(pattern: re.Pattern[Any]) -> list[tuple[str, str, str]]:
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    pieces: list[tuple[str, str]] = []
    whole = _sample(parser.parse(source, pattern.flags & ~re.UNICODE & ~re.DEBUG), pieces)
    units = {unit for _, unit in pieces} | {whole, whole[:-1], " ", "a", "1"}
    heads = {before for before, _ in pieces} | {""}
    units |= {before + unit for before, unit in pieces}
    return [
        (head, unit, tail) for head in sorted(heads) for unit in sorted(units) if unit for tail in ("", "\0")
    ]


def _seconds(
    pattern: re.Pattern[Any], attack: tuple[str, str, str], length: int, searched: bool, rounds: int = 1
) -> float:
    head, unit, tail = attack
    text: Any = head + unit * (length // len(unit) + 1) + tail
    if isinstance(pattern.pattern, bytes):
        text = text.encode("latin-1", "replace")
    best = float("inf")
    for _ in range(rounds):
        started = time.thread_time()
        if searched:
            for _found in pattern.finditer(text):
                pass
        pattern.match(text)
        pattern.fullmatch(text)
        best = min(best, time.thread_time() - started)
    return best


def _bytes_taken(pattern: re.Pattern[Any], attack: tuple[str, str, str], searched: bool) -> int:
    """The memory that one search takes beside its text and what it finds."""
    head, unit, tail = attack
    text: Any = head + unit * (_LENGTHS[-1] // len(unit) + 1) + tail
    if isinstance(pattern.pattern, bytes):
        text = text.encode("latin-1", "replace")
    tracemalloc.start()
    try:
        pattern.search(text) if searched else pattern.match(text)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _is_super_linear(pattern: re.Pattern[Any], attack: tuple[str, str, str], searched: bool = True) -> bool:
    for length in _LENGTHS:
        if _seconds(pattern, attack, length, searched) > _SLOW:
            break
    else:
        return False
    if length <= 24:
        return True  # a thousand steps for each character
    shorter = length // 4
    return all(
        _seconds(pattern, attack, length, searched)
        > _SUPER_LINEAR * _seconds(pattern, attack, shorter, searched, 3)
        for _ in range(3)
    )


@pytest.mark.parametrize("name", PATTERNS)
def test_pattern_takes_linear_time(name: str) -> None:
    pattern, searched = PATTERNS[name]
    slow = [attack for attack in _attacks(pattern) if _is_super_linear(pattern, attack, searched)]
    assert not slow, f"{pattern.pattern!r} on {slow[0][0]!r} + {slow[0][1]!r} * n + {slow[0][2]!r}"


@pytest.mark.parametrize("name", PATTERNS)
def test_pattern_takes_no_memory_for_each_repetition(name: str) -> None:
    pattern, searched = PATTERNS[name]
    large = [attack for attack in _attacks(pattern) if _bytes_taken(pattern, attack, searched) > _MOST_TAKEN]
    assert not large, f"{pattern.pattern!r} on {large[0][0]!r} + {large[0][1]!r} * n + {large[0][2]!r}"


@pytest.mark.parametrize(
    "source", [r"x.*y.*z", r"model.{0,}?not found", r"\s+$", r"<title>(.*?)</title>", r"(a+)+b"]
)
def test_slow_patterns_are_found(source: str) -> None:
    pattern = re.compile(source, re.DOTALL)
    assert any(_is_super_linear(pattern, attack) for attack in _attacks(pattern))


def test_no_pattern_is_hidden_in_a_function() -> None:
    """What is compiled where it is used is not among `PATTERNS`; words of others, escaped, are no pattern."""
    package = Path(claude_code_proxy.__path__[0])
    hidden = [
        f"{path.name}:{call.lineno}: {ast.unparse(call)}"
        for path in package.rglob("*.py")
        if f"{path.relative_to(package).parts[0]}.".startswith(ROOMS)
        for function in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and ast.unparse(call.func).startswith("re.")
    ]
    hidden = [call for call in hidden if not call.startswith(_OF_ESCAPED_WORDS)]
    assert not hidden


_OF_ESCAPED_WORDS = ("words.py:", "text_tools.py:")


def test_there_are_patterns() -> None:
    assert len(PATTERNS) > 40
