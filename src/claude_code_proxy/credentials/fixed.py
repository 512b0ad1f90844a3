"""A key that is known by the time a session starts: written out, or in the environment."""

from __future__ import annotations

from collections.abc import Mapping

from .source import Credential, CredentialError, Fetcher, checked


class Written(Fetcher):
    """A key that is written out."""

    def __init__(self, token: str, env: Mapping[str, str]) -> None:  # noqa: ARG002 - as every kind is made
        self._token = token

    def fetch(self, refused: Credential | None = None) -> Credential:  # noqa: ARG002 - there is no other
        """The key. Raises `CredentialError`."""
        return Credential(checked(self._token))


class Variable(Fetcher):
    """The key in the variable `name`."""

    def __init__(self, name: str, env: Mapping[str, str]) -> None:
        self._name = name
        self._env = env

    def fetch(self, refused: Credential | None = None) -> Credential:  # noqa: ARG002 - there is no other
        """The key. Raises `CredentialError`."""
        token = self._env.get(self._name, "").strip()
        if not token:
            raise CredentialError("the variable is not set", self._near() or f"export {self._name}=...")
        return Credential(checked(token))

    def _near(self) -> str:
        from difflib import get_close_matches  # only for a mistake

        keys = [name for name in self._env if name.endswith(("_KEY", "_TOKEN"))]
        near = get_close_matches(self._name, keys, n=1)
        return f'did you mean "{near[0]}"?' if near else ""
