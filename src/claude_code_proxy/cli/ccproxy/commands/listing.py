"""`ccproxy list`: the providers of the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from claude_code_proxy.cli import output
from claude_code_proxy.cli.ccproxy.arguments import UsageError, take_options
from claude_code_proxy.cli.ccproxy.keys import is_open
from claude_code_proxy.config.cc_proxy_json.providers_file import load_providers


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
                "routes": {rule.kind: rule.to for rule in provider.routes},
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
