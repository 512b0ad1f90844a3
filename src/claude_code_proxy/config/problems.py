"""What is wrong in a configuration: where, what, and how to fix it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to fix. `line` counts from 1; None means the file as a whole."""

    path: Path
    line: int | None
    what: str
    hint: str = ""

    def __str__(self) -> str:
        place = str(self.path) if self.line is None else f"{self.path}:{self.line}"
        return f"{place}: {self.what}" + (f" (hint: {self.hint})" if self.hint else "")


class ConfigError(Exception):
    """A configuration that cannot be used; `str()` has one line for each problem.

    `problems` is empty where the trouble is not in a file (a flag, an environment variable).
    """

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)

    @classmethod
    def of(cls, problems: Sequence[Problem]) -> ConfigError:
        """All `problems` of a file in one error, in the order of their lines."""
        ordered = sorted(problems, key=lambda problem: problem.line or 0)
        return cls("\n".join(str(problem) for problem in ordered), ordered)


def near(name: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """The names most like `name`, best first, whatever their case."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    return [by_folded[match] for match in get_close_matches(name.casefold(), by_folded, limit, cutoff=0.6)]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest of `known`, or "" when none is near."""
    matches = near(name, known, 1)
    return f'did you mean "{matches[0]}"?' if matches else ""
