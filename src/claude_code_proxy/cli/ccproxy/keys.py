"""Getting the keys that a session needs, from wherever cc-proxy.json says they are."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from claude_code_proxy.config.cc_proxy_json.providers_file import Provider
from claude_code_proxy.config.claude_code.environment import is_nested
from claude_code_proxy.config.problems import ConfigError, Problem
from claude_code_proxy.credentials.factory import make_fetcher
from claude_code_proxy.credentials.source import Credential, CredentialError

_NO_KEY = "no-key"
"""Stands where a key must: Claude Code does not start without one."""
_OUTSIDE = "a session keeps the keys of its file out of its environment: run this outside of it"


def credential_of(provider: Provider, path: Path, env: Mapping[str, str]) -> Credential:
    """What `provider` of the file `path` is asked with. Raises `ConfigError`, never with a key in it."""
    source = provider.key
    if source.kind == "none":
        return Credential(_NO_KEY)
    try:
        return make_fetcher(source.kind, source.value, env).fetch()
    except CredentialError as error:
        what = f"{provider.name}: {source.shown}: {error}"
        hint = _OUTSIDE if source.kind == "env" and is_nested(env) else error.hint
        raise ConfigError.of([Problem(path, provider.line, what, hint)]) from None


def refuse_open_file(path: Path, providers: Iterable[Provider]) -> None:
    """Refuse a file with keys written out that others on this machine can read. Raises `ConfigError`."""
    if is_open(path, providers):
        what = "this file contains keys and other users can read it"
        raise ConfigError.of([Problem(path, None, what, f"chmod 600 {path}")])


def is_open(path: Path, providers: Iterable[Provider]) -> bool:
    """Whether a key is written out in a file that somebody else may read."""
    plain = any(provider.key.kind == "plain" for provider in providers)
    return plain and bool(stat.S_IMODE(path.stat().st_mode) & 0o077)
