"""Where GitHub's own programs keep a token that is good for Copilot, in the order in which they look.

Order and places: docs.github.com/copilot, "Copilot CLI"; a classic token (`ghp_`) has no Copilot in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

VARIABLES = ("COPILOT_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_TOKEN")
_GOOD = ("gho_", "ghu_", "github_pat_")
_LIMIT = 10.0
"""Seconds for `gh` and for the keyring."""


class Found(NamedTuple):
    """A token and the place that it is from, for people."""

    token: str
    place: str

    def __repr__(self) -> str:
        return f"Found({self.place})"


def find_tokens(env: Mapping[str, str], own: Path) -> Iterator[Found]:
    """Every token that may be good for Copilot; the login of `ccproxy` itself, in the file `own`, first."""
    home = Path(env.get("HOME") or Path.home())
    config = Path(env.get("XDG_CONFIG_HOME") or home / ".config")
    yield from _in_file(own)
    for name in VARIABLES:
        if env.get(name, "").strip().startswith(_GOOD):
            yield Found(env[name].strip(), name)
    yield from _in_keyring()
    yield from _in_file(Path(env.get("COPILOT_HOME") or home / ".copilot", "config.json"))
    yield from _of_gh(env)
    for name in ("apps.json", "hosts.json"):  # what editors wrote
        yield from _in_file(config / "github-copilot" / name)


def _in_file(path: Path) -> Iterator[Found]:
    """Every such token in a JSON file, at whatever place: their shapes differ by version."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return
    left: list[Any] = [value]
    while left:
        value = left.pop()
        if isinstance(value, str) and value.startswith(_GOOD):
            yield Found(value, str(path))
        elif isinstance(value, dict | list):
            left += reversed(list(value.values()) if isinstance(value, dict) else value)


def _in_keyring() -> Iterator[Found]:
    """What the Copilot CLI has put there, where there is a keyring that tells."""
    try:
        entry = import_module("keyring").get_credential("copilot-cli", None)
    except Exception:  # back ends raise what they like, and none is needed
        return
    if entry is not None and str(entry.password).startswith(_GOOD):
        yield Found(str(entry.password), "the keyring (copilot-cli)")


def _of_gh(env: Mapping[str, str]) -> Iterator[Found]:
    """The token of GitHub's own command line."""
    import subprocess

    try:
        ran = subprocess.run(
            ["gh", "auth", "token", "--hostname", "github.com"],  # noqa: S607 - the user's own
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env=dict(env),
            timeout=_LIMIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return
    token = ran.stdout.decode("utf-8", "replace").strip()
    if ran.returncode == 0 and token.startswith(_GOOD):
        yield Found(token, "gh auth token")
