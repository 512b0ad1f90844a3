"""A key in the system's keyring (extra `[keyring]`)."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from .source import Credential, CredentialError, checked


class KeyringEntry:
    """The entry `SERVICE/USER`; read again after a refusal, since it may have been replaced."""

    def __init__(self, entry: str, env: Mapping[str, str]) -> None:  # noqa: ARG002 - as every kind is made
        self._service, _, self._user = entry.rpartition("/")

    def fetch(self, refused: Credential | None = None) -> Credential:  # noqa: ARG002 - there is one entry
        """What the entry holds now. Raises `CredentialError`."""
        try:
            keyring = import_module("keyring")
        except ImportError:
            hint = "pip install 'keyless-claude-proxy[keyring]'"
            raise CredentialError("the keyring is not installed", hint) from None
        try:
            key = keyring.get_password(self._service, self._user)
        except keyring.errors.KeyringError as error:
            raise CredentialError(f"the keyring says: {error}") from None
        if not key:
            hint = f"keyring set {self._service} {self._user}"
            raise CredentialError("the keyring has no such entry", hint)
        return Credential(checked(str(key)))

    def stamp(self) -> object:
        """Nobody tells of a change."""
        return None
