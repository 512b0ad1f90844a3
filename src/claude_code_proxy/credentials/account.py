"""Whose login it is, until when, and what its vendor says of it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .source import Fetcher, object_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A login that is there. No token is in it."""

    who: str
    """The name at the vendor; "" where it tells none."""
    place: str
    """Where the login is kept."""
    expires_at: float | None = None
    """Unix seconds until which the present token is good."""
    renews: bool = False
    """Whether it is renewed without the user."""
    told: str = ""
    """What the vendor says of it: the plan, what is left."""


class Login(Fetcher, Protocol):
    """A fetcher whose tokens come from a login. All raise `CredentialError`."""

    TERMS: str
    """What a user should know of the vendor's terms."""
    MODELS: str
    """The provider whose models it is for."""

    def account(self) -> Account:
        """Who is logged in; asks the vendor where only the vendor knows."""
        ...

    def log_in(self, options: Mapping[str, str], tell: Callable[[str], None]) -> None:
        """Log in, where there is no login yet; tells the user what to do."""
        ...

    def log_out(self) -> str:
        """Forget what was stored here; says what was done, or who has to do it."""
        ...


def claims(token: str) -> dict[str, Any]:
    """The payload of a JWT, which is not verified: it came from whoever issued it. {} for no JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        return object_of(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return {}
