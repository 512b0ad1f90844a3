"""From what `auth_key` says to the fetcher behind it; each kind is imported only where it is used."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import cast

from .source import Fetcher

KINDS = {
    "plain": ("fixed", "Written"),
    "env": ("fixed", "Variable"),
    "keyring": ("keyring_entry", "KeyringEntry"),
    "cmd": ("command", "Command"),
    "file": ("key_file", "KeyFile"),
    "login": ("logins", "make_login"),
    "aws": ("aws.aws_credentials", "AwsSignature"),
    "bedrock": ("aws.aws_credentials", "BedrockKey"),
    "google": ("google.application_default", "ApplicationDefault"),
    "entra": ("entra.entra_token", "EntraToken"),
}
"""The file and the maker of each kind; it takes what follows the kind, and the environment."""

RENEWED = frozenset(KINDS) - {"plain", "env"}
"""The kinds that a session asks again."""


_AWS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK")
VARIABLES: dict[str, tuple[str, ...]] = {
    "aws": _AWS,
    "bedrock": _AWS,
    "login": ("COPILOT_GITHUB_TOKEN",),  # GH_TOKEN is the user's own tools' too
    "entra": ("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PASSWORD", "IDENTITY_HEADER"),
}
"""The variables with secrets that a kind reads beside those that `auth_key` names."""


def make_fetcher(kind: str, value: str, env: Mapping[str, str]) -> Fetcher:
    """The fetcher of `auth_key: "KIND:VALUE"`. Raises `CredentialError` for a value that makes no sense."""
    module, name = KINDS[kind]
    made = getattr(import_module(f".{module}", __package__), name)
    return cast("Fetcher", made(value, env))
