"""Getting the keys that a session needs, from wherever cc-proxy.json says they are."""

from __future__ import annotations

import math
import os
import signal
import stat
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from claude_code_proxy.cli import output
from claude_code_proxy.config.cc_proxy_json.key_sources import BadKey, check_key
from claude_code_proxy.config.problems import ConfigError, Problem, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from claude_code_proxy.config.cc_proxy_json.providers_file import Provider

_NO_KEY = "no-key"
"""Stands where a key must: Claude Code does not start without one."""
LIMIT = "CCPROXY_KEY_TIMEOUT"
"""The variable with the seconds for a `cmd:`, which may ask the user for a fingerprint or a password."""
_COMMAND_LIMIT = 60.0
_QUIET = 3.0
"""Seconds after which the user sees what is being waited for."""


def key_of(provider: Provider, path: Path, env: Mapping[str, str]) -> str:
    """The key of `provider`, of the file `path`. Raises `ConfigError`, never with the key in it."""
    source = provider.key
    try:
        if source.kind == "plain":
            return source.value
        if source.kind == "none":
            return _NO_KEY
        if source.kind == "env":
            key = _from_environment(source.value, env)
        elif source.kind == "cmd":
            key = _from_command(source.value, env)
        else:
            key = _from_keyring(source.value)
        check_key(key)
    except BadKey as error:
        what = f"{provider.name}: {source.shown}: {error}"
        raise ConfigError.of([Problem(path, provider.line, what, error.hint)]) from None
    return key


def refuse_open_file(path: Path, providers: Iterable[Provider]) -> None:
    """Refuse a file with keys written out that others on this machine can read. Raises `ConfigError`."""
    if is_open(path, providers):
        what = "this file contains keys and other users can read it"
        raise ConfigError.of([Problem(path, None, what, f"chmod 600 {path}")])


def is_open(path: Path, providers: Iterable[Provider]) -> bool:
    """Whether a key is written out in a file that somebody else may read."""
    plain = any(provider.key.kind == "plain" for provider in providers)
    return plain and bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def _from_environment(name: str, env: Mapping[str, str]) -> str:
    key = env.get(name, "").strip()
    if not key:
        near = did_you_mean(name, (other for other in env if other.endswith(("_KEY", "_TOKEN"))))
        raise BadKey("the variable is not set", near or f"export {name}=...")
    return key


def _from_command(command: str, env: Mapping[str, str]) -> str:
    """The first line that the command prints. It runs in a shell, since users write pipes and quotes."""
    import subprocess  # only for those who use a command

    limit = _limit(env)
    process = subprocess.Popen(  # noqa: S602 - the user's own command, from the user's own file
        command,
        shell=True,
        env=dict(env),
        stdin=None,  # it may ask the user
        stdout=subprocess.PIPE,
        stderr=None,
        # A group of its own can be ended as a whole, but could not ask at a terminal.
        process_group=None if sys.stdin.isatty() else 0,
    )
    assert process.stdout is not None
    try:
        try:
            printed, _ = process.communicate(timeout=min(_QUIET, limit))
        except subprocess.TimeoutExpired:
            output.note(f"waiting for the key: {command} (at most {limit:g} s)")
            printed, _ = process.communicate(timeout=max(0, limit - _QUIET))
    except subprocess.TimeoutExpired:
        if sys.stdin.isatty():
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()
        process.wait()
        raise BadKey(f"it did not finish within {limit:g} s", f"run it by hand, or set {LIMIT}") from None
    if process.returncode != 0:
        raise BadKey(f"it failed with exit code {process.returncode}", "run it by hand")
    lines: Sequence[str] = printed.decode("utf-8", "replace").splitlines()
    if not lines or not lines[0].strip():
        raise BadKey("it printed nothing", "it must print the key on its first line")
    return lines[0].strip()


def _limit(env: Mapping[str, str]) -> float:
    try:
        limit = float(env.get(LIMIT) or _COMMAND_LIMIT)
    except ValueError:
        limit = math.nan
    if not 0 < limit < math.inf:
        raise BadKey(f"{LIMIT} is no number of seconds", f"export {LIMIT}=60")
    return limit


def _from_keyring(entry: str) -> str:
    service, _, user = entry.rpartition("/")
    try:
        keyring = import_module("keyring")
    except ImportError:
        raise BadKey("the keyring is not installed", "pip install 'keyless-claude-proxy[keyring]'") from None
    try:
        key = keyring.get_password(service, user)
    except keyring.errors.KeyringError as error:
        raise BadKey(f"the keyring says: {error}") from None
    if not key:
        raise BadKey("the keyring has no such entry", f"keyring set {service} {user}")
    return str(key)
