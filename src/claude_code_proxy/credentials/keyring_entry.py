"""A key in the system's keyring (extra `[keyring]`)."""

from __future__ import annotations

from collections.abc import Mapping

from .source import Credential, CredentialError, Fetcher, checked, extra_modules


class KeyringEntry(Fetcher):
    """The entry `SERVICE/USER`; read again after a refusal, since it may have been replaced."""

    def __init__(self, entry: str, env: Mapping[str, str]) -> None:  # noqa: ARG002 - as every kind is made
        self._service, _, self._user = entry.rpartition("/")

    def fetch(self, refused: Credential | None = None) -> Credential:  # noqa: ARG002 - there is one entry
        """What the entry holds now. Raises `CredentialError`."""
        (keyring,) = extra_modules("keyring", "the keyring is not installed", "keyring")
        try:
            key = keyring.get_password(self._service, self._user)
        except keyring.errors.KeyringError as error:
            raise CredentialError(f"the keyring says: {error}") from None
        if not key:
            hint = f"keyring set {self._service} {self._user}"
            raise CredentialError("the keyring has no such entry", hint)
        return Credential(checked(str(key)))
