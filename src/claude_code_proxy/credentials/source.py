"""What every source of credentials can do, and how it says that it cannot."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request to a provider carries."""

    token: str = field(repr=False)
    expires_at: float | None = None
    """Unix seconds; None where nothing is known of an end."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Further request headers that belong to the token, such as the account's."""
    base_url: str = ""
    """The provider's address where the issuer names one, else ""."""


class CredentialError(Exception):
    """There is no usable credential. The text says what failed, `hint` what to run; neither has a token in it.

    `transient` is set where the same may work later (an issuer that is down), without the user doing anything.
    """

    def __init__(self, what: str, hint: str = "", *, transient: bool = False) -> None:
        super().__init__(what)
        self.hint = hint
        self.transient = transient

    def __str__(self) -> str:
        return f"{self.args[0]} (hint: {self.hint})" if self.hint else str(self.args[0])


class CredentialSource(Protocol):
    """A source for one provider, in one process. Both methods raise `CredentialError`."""

    async def current(self) -> Credential:
        """The credential to use now; renewed first where it is about to expire."""
        ...

    async def renew(self) -> Credential:
        """A credential newer than the last one, which the provider refused."""
        ...
