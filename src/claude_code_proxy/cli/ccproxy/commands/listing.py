"""`ccproxy list` and `ccproxy env`: what is configured, and what a session would set."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from claude_code_proxy.cli import output
from claude_code_proxy.cli.ccproxy.arguments import UsageError, take_options
from claude_code_proxy.cli.ccproxy.keys import is_open
from claude_code_proxy.config.cc_proxy_json.providers_file import choose, load_providers
from claude_code_proxy.config.claude_code.environment import SECRETS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_SHELLS = ("bash", "zsh", "sh", "fish", "json")


def list_providers(
    arguments: Sequence[str],
    wanted: str | None,  # noqa: ARG001 - one shape for both
    path: Path,
    env: Mapping[str, str],  # noqa: ARG001
) -> int:
    """Print the providers of the file; no key is printed. Raises `ConfigError`, `UsageError`."""
    plain, options = take_options("list", arguments, ("--json",))
    if plain:
        raise UsageError(f"list takes --json only, not {' '.join(plain)}")
    providers = load_providers(path)
    if is_open(path, providers):
        output.warning(f"{path} contains keys and other users can read it (hint: chmod 600 {path})")
    only = len(providers) == 1
    if options:
        listed = [
            {
                "name": provider.name,
                "base_url": provider.base_url,
                "auth_key": provider.key.shown,
                "model": provider.model,
                "small_model": provider.small_model,
                "fallback": list(provider.fallback),
                "default": provider.is_default or only,
            }
            for provider in providers
        ]
        output.document({"version": 1, "file": str(path), "providers": listed})
        return output.OK
    rows = [("", "PROVIDER", "MODEL", "KEY", "BASE URL")]
    rows += [
        (
            "*" if provider.is_default or only else "",
            provider.name,
            provider.model,
            provider.key.shown.partition(" ")[0],
            provider.base_url,
        )
        for provider in providers
    ]
    output.table(rows)
    return output.OK


def show_environment(arguments: Sequence[str], wanted: str | None, path: Path, env: Mapping[str, str]) -> int:
    """Print what a session sets, for a shell to evaluate or a program to read, without the keys.

    A private proxy lives only as long as a session that `ccproxy` starts, so its address cannot be printed.
    Raises `ConfigError`, `UsageError`.
    """
    from claude_code_proxy.cli.ccproxy import launch

    plain, options = take_options("env", arguments, ("--json",), ("--shell",))
    shell = "json" if "--json" in options else options.get("--shell", "sh")
    if plain or shell not in _SHELLS:
        raise UsageError(f"env takes --shell {'|'.join(_SHELLS)}")
    providers = load_providers(path)
    ready = launch.prepare(choose(providers, wanted, path), providers, path, env)
    launch.warn(ready, env)
    variables = launch.shown_variables(ready.changes)
    if ready.route.job is not None:
        output.note("note: this session would have a private proxy; its address is known when it starts")
    if shell == "json":
        output.document({"version": 1, "set": variables, "unset": list(ready.changes.removed)})
        return output.OK
    for name in ready.changes.removed:
        print(f"set -e {name}" if shell == "fish" else f"unset {name}")
    for name, value in variables.items():
        if name in SECRETS or launch.FREE_PORT in value:
            print(f"# {name}={value}")
        elif shell == "fish":
            print(f"set -gx {name} {_fish(value)}")
        else:
            print(f"export {name}={shlex.quote(value)}")
    return output.OK


def _fish(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
