"""Where a provider's key is: written out, in the environment, told by a command, in the keyring, nowhere."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["plain", "env", "cmd", "keyring", "none"]
_KINDS: tuple[Kind, ...] = ("env", "cmd", "keyring")


class BadKey(ValueError):  # noqa: N818 - the module's own word, caught by name
    """An `auth_key` that cannot be used. `hint` says how to fix it; neither text repeats the key."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.hint = hint


class KeySource(NamedTuple):
    """What an `auth_key` says. `value` is the key itself only where `kind` is "plain"."""

    kind: Kind
    value: str

    @property
    def shown(self) -> str:
        """The source for a listing: everything but a key that is written out."""
        if self.kind == "none":
            return "none"
        return "(hidden)" if self.kind == "plain" else f"{self.kind}:{self.value}"

    def __repr__(self) -> str:
        return f"KeySource({self.shown})"


NO_KEY = KeySource("none", "")
"""Of a server on a private network that asks for none."""


def parse_key(text: str) -> KeySource:
    """Read `env:NAME`, `cmd:COMMAND`, `keyring:SERVICE/USER` or a plain key. Raises `BadKey`."""
    head, colon, rest = text.strip().partition(":")
    for kind in _KINDS:
        if colon and head == kind:
            return KeySource(kind, _checked(kind, rest.strip()))
    plain = text.strip()
    check_key(plain)
    return KeySource("plain", plain)


def check_key(key: str) -> None:
    """Whether `key` can go into a header. Raises `BadKey`."""
    if not key:
        raise BadKey("auth_key is empty")
    if any(character.isspace() or not character.isprintable() for character in key):
        raise BadKey("auth_key has white space inside", "copy the key again")
    if not key.isascii():
        raise BadKey("auth_key has characters that no key has", "copy the key again")


def _checked(kind: Kind, value: str) -> str:
    if kind == "env" and not (value.isidentifier() and value.isascii()):
        raise BadKey("auth_key names no environment variable", 'write "env:NAME_OF_THE_VARIABLE"')
    if kind == "cmd" and not value:
        raise BadKey("auth_key has no command", 'write "cmd:op read op://vault/item/key"')
    if kind == "keyring":
        service, slash, user = value.rpartition("/")
        if not (service and slash and user):
            raise BadKey("auth_key names no keyring entry", 'write "keyring:SERVICE/USER"')
    return value
