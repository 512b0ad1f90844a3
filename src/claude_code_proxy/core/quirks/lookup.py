"""Finding the row: by name, by the host of `api_base`, by the id of a hosted model."""

from __future__ import annotations

import dataclasses
import difflib
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from claude_code_proxy.core.profile import Profile

from . import hosted

CUSTOM = Profile(evidence="the most widely accepted behaviour; nothing known about the provider")

_ROWS: dict[str, Profile] = {row.name: row for row in (*hosted.ROWS, CUSTOM)}

PROFILE_NAMES: tuple[str, ...] = tuple(_ROWS)

_HOSTS: tuple[tuple[str, str], ...] = (
    ("api.deepseek.com", "deepseek"),
    ("api.openai.com", "openai"),
)
_FAMILIES: tuple[tuple[str, str, dict[str, Any]], ...] = ()


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
        return _ROWS[name]
    except KeyError:
        raise UnknownProfile(name, difflib.get_close_matches(name, PROFILE_NAMES)) from None


def profile_for(*, api_base: str, model: str, name: str | None = None) -> Profile:
    """The profile of the upstream `model` at `api_base`; `name` picks the row whatever the address says.

    Raises `UnknownProfile` for a `name` that no row has.
    """
    row = profile_named(name) if name is not None else _ROWS[_name_of(api_base)]
    for owner, pattern, overrides in _FAMILIES:
        if owner == row.name and fnmatchcase(model.lower(), pattern):
            row = dataclasses.replace(row, **overrides)
    return row


def _name_of(api_base: str) -> str:
    host = urlsplit(api_base).hostname or ""
    for suffix, name in _HOSTS:
        if host == suffix or host.endswith("." + suffix):
            return name
    return CUSTOM.name
