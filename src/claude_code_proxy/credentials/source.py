"""What every source of credentials can do, and how it says that it cannot."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol


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
    signing: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What requests are signed with (`aws.sigv4`), instead of carrying the token; {}: they carry it."""


class CredentialError(ValueError):
    """There is no usable credential. The text says what failed, `hint` what to run; neither has a token.

    `transient`: the same may work later without the user doing anything, as with an issuer that is down.
    """

    def __init__(self, what: str, hint: str = "", *, transient: bool = False) -> None:
        super().__init__(what)
        self.hint = hint
        self.transient = transient

    @property
    def told(self) -> str:
        """The whole of it in one line."""
        return f"{self} (hint: {self.hint})" if self.hint else str(self)


class CredentialSource(Protocol):
    """A source for one provider, in one process (`renewing.Renewing`). Both raise `CredentialError`."""

    async def current(self) -> Credential:
        """The credential to use now; renewed first where it is about to expire."""
        ...

    async def renew(self) -> Credential:
        """A newer credential than the last one, which the provider refused.

        The same again where its source has no newer one: then the provider's refusal is the answer.
        """
        ...


class Fetcher(Protocol):
    """Where a credential is got. Both methods may block; several threads never call at once."""

    def fetch(self, refused: Credential | None = None) -> Credential:
        """A credential; one that differs from `refused`, where that is possible. Raises `CredentialError`."""
        ...

    def stamp(self) -> object:
        """Something that differs from before once what is stored has changed; takes microseconds.

        None where nobody tells of a change.
        """
        return None


def checked(token: str) -> str:
    """`token`, if it can go into a header. Raises `CredentialError`."""
    if not token:
        raise CredentialError("auth_key is empty")
    if any(character.isspace() or not character.isprintable() for character in token):
        raise CredentialError("auth_key has white space inside", "copy the key again")
    if not token.isascii():
        raise CredentialError("auth_key has characters that no key has", "copy the key again")
    return token


def object_of(text: bytes | str) -> dict[str, Any]:
    """The JSON object that `text` is; {} where it is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def extra_modules(extra: str, what: str, *names: str) -> list[Any]:
    """The modules `names` of the extra. Raises `CredentialError` with `what`: that something needs it."""
    try:
        return [import_module(name) for name in names]
    except ImportError:
        raise CredentialError(what, f"pip install 'keyless-claude-proxy[{extra}]'") from None
