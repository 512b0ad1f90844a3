"""`ccproxy list`: the providers of the file."""

from __future__ import annotations

from claude_code_proxy.cli import output
from claude_code_proxy.cli.ccproxy.arguments import Command, UsageError
from claude_code_proxy.cli.ccproxy.keys import is_open
from claude_code_proxy.config.cc_proxy_json.providers_file import load_providers


def list_providers(command: Command) -> int:
    """Print the providers of the file; no key is printed. Raises `ConfigError`, `UsageError`."""
    path = command.path
    plain, options = command.take(("--json",))
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
