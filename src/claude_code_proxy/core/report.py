"""What a conversion dropped, changed or emulated: the request's report.

Nothing is repaired silently (docs/architecture.md, rule 5). Every place that cannot carry something over
adds a `Notice`; the log, `explain` and the dry run show them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import filterfalse
from operator import attrgetter
from typing import Literal

import msgspec

Action = Literal["dropped", "changed", "emulated", "noticed"]


class Notice(msgspec.Struct, frozen=True, gc=False):
    """One thing that did not go through as it came.

    `code` is a stable snake_case name, `path` the JSON path in the client's request (or in the upstream's
    answer, then starting with `upstream.`), `reason` one sentence for a person. A `quiet` notice has no
    effect on the model's output (cache marks, metadata, betas) and is shown at debug level only.
    """

    code: str
    path: str
    action: Action
    reason: str
    quiet: bool = False


_MOST_NOTICES = 10_000
_IS_QUIET = attrgetter("quiet")


@dataclass(slots=True)
class Report:
    """The notices of one request, in the order in which they arose."""

    notices: list[Notice] = field(default_factory=list)
    """The first ten thousand: what repeats with every piece of an endless answer is known by then."""

    def dropped(self, code: str, path: str, reason: str, *, quiet: bool = False) -> None:
        """Record that the value at `path` does not reach the other side."""
        if len(self.notices) < _MOST_NOTICES:
            self.notices.append(Notice(code, path, "dropped", reason, quiet))

    def changed(self, code: str, path: str, reason: str, *, quiet: bool = False) -> None:
        """Record that the value at `path` reaches the other side in another form."""
        if len(self.notices) < _MOST_NOTICES:
            self.notices.append(Notice(code, path, "changed", reason, quiet))

    def emulated(self, code: str, path: str, reason: str, *, quiet: bool = False) -> None:
        """Record that the proxy itself does what `path` asks for."""
        if len(self.notices) < _MOST_NOTICES:
            self.notices.append(Notice(code, path, "emulated", reason, quiet))

    @property
    def loud(self) -> list[Notice]:
        """The notices a person should see."""
        return list(filterfalse(_IS_QUIET, self.notices))

    @property
    def codes(self) -> list[str]:
        """The codes of the loud notices, each once, in order."""
        return list(dict.fromkeys([notice.code for notice in self.loud]))
