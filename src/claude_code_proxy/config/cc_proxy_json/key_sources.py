"""What an `auth_key` says: a key that is written out, or where one is got (`credentials`)."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import NamedTuple

from claude_code_proxy.credentials.factory import KINDS, make_fetcher
from claude_code_proxy.credentials.source import CredentialError, checked

_NO_KEY = "none"
_SHELL_VARIABLE = re.compile(r"\$\{?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}?")
_WRITTEN = sorted(set(KINDS) - {"plain"})
_LIKENESS = 0.66  # "evn", not "key"


class KeySource(NamedTuple):
    """What an `auth_key` says. `value` is the key itself only where `kind` is "plain"."""

    kind: str
    """One of `credentials.factory.KINDS`, or "none"."""
    value: str

    @property
    def shown(self) -> str:
        """The source for a listing: everything but a key that is written out."""
        if self.kind == _NO_KEY:
            return "none"
        return "(hidden)" if self.kind == "plain" else f"{self.kind}:{self.value}"

    def __repr__(self) -> str:
        return f"KeySource({self.shown})"


NO_KEY = KeySource(_NO_KEY, "")
"""Of a server on a private network that asks for none."""


def parse_key(text: str) -> KeySource:
    """Read `KIND:VALUE` (`env:NAME`, `cmd:COMMAND` ...) or a plain key. Raises `CredentialError`."""
    head, colon, rest = text.strip().partition(":")
    if colon and head in KINDS and head != "plain":
        return KeySource(head, _checked(head, rest.strip()))
    if variable := _SHELL_VARIABLE.fullmatch(text.strip()):
        raise CredentialError("auth_key is a variable of the shell", f'write "env:{variable["name"]}"')
    if colon and (meant := get_close_matches(head.lower(), _WRITTEN, 1, _LIKENESS)):
        raise CredentialError(f'auth_key: "{head}:" is no kind of source', f'did you mean "{meant[0]}:"?')
    return KeySource("plain", checked(text.strip()))


def _checked(kind: str, value: str) -> str:
    if kind == "env" and not (value.isidentifier() and value.isascii()):
        raise CredentialError("auth_key names no environment variable", 'write "env:NAME_OF_THE_VARIABLE"')
    if kind == "keyring":
        service, slash, user = value.rpartition("/")
        if not (service and slash and user):
            raise CredentialError("auth_key names no keyring entry", 'write "keyring:SERVICE/USER"')
    make_fetcher(kind, value, {"HOME": "/"})  # refuses what makes no sense
    return value
