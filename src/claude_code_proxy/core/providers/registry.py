"""Finding the profile: by name, by the address, by the id of a hosted model; then the model's family."""

from __future__ import annotations

import dataclasses
import difflib
from fnmatch import fnmatchcase
from functools import lru_cache

from claude_code_proxy.core.providers import china, hosted, local
from claude_code_proxy.core.providers.addresses import row_at, row_of_model
from claude_code_proxy.core.providers.families import FAMILIES
from claude_code_proxy.core.providers.model_limits import known_limits
from claude_code_proxy.core.providers.profile import Profile

CUSTOM = Profile(
    evidence="the most widely accepted behaviour of every field; nothing known about the provider"
)

ROWS: dict[str, Profile] = {row.name: row for row in (*china.ROWS, *hosted.ROWS, *local.ROWS, CUSTOM)}

PROFILE_NAMES: tuple[str, ...] = tuple(ROWS)


class UnknownProfile(KeyError):  # noqa: N818 - the name reads as the fact, as KeyError does
    """No row has this name. `near` lists the names that look like it, best first."""

    def __init__(self, name: str, near: list[str]) -> None:
        super().__init__(name)
        self.name = name
        self.near = near

    def __str__(self) -> str:
        hint = f"; did you mean {' or '.join(self.near)}?" if self.near else ""
        return f"unknown profile {self.name!r}{hint}"


def profile_named(name: str) -> Profile:
    """The row called `name`, before any model's overrides. Raises `UnknownProfile`."""
    try:
        return ROWS[name]
    except KeyError:
        near = difflib.get_close_matches(name.lower(), PROFILE_NAMES)
        raise UnknownProfile(name, near) from None


@lru_cache(maxsize=1024)
def profile_for(*, api_base: str, model: str, name: str | None = None) -> Profile:
    """The profile of the upstream `model` at `api_base`; `name` picks the row whatever the address says.

    Without a name the address decides; at an unknown public address the id of a vendor's own model does;
    else the row is `custom`. Then come the overrides of the model's family and its known limits. Raises
    `UnknownProfile` for a `name` that no row has.
    """
    if name is None:
        name = row_at(api_base) or row_of_model(api_base, model)
        # Anthropic's own address has a native row only; entries for it are passed through, not converted.
        name = name if name in ROWS else CUSTOM.name
    row = profile_named(name)
    lowered = model.lower()
    for family in FAMILIES:
        if row.name in family.rows and fnmatchcase(lowered, family.pattern):
            row = dataclasses.replace(row, **family.overrides)
    context, output = known_limits(row.name, model)
    return dataclasses.replace(
        row,
        context_window=context if context is not None else row.context_window,
        max_output=output if output is not None else row.max_output,
    )
