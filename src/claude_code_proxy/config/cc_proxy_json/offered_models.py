"""Which of a provider's models speak which format, where its list says so (GitHub Copilot).

`ccproxy login` writes it down, so that a session starts without asking.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from claude_code_proxy.config import paths
from claude_code_proxy.credentials.source import object_of

_FORMATS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/v1/messages", {"format": "anthropic"}),
    ("/responses", {"api": "responses", "reasoning_replay": "responses_item"}),
    ("/chat/completions", {"api": "chat"}),
)
"""The endpoints that a model may have, the one that carries most over first."""


def offered_file(env: Mapping[str, str], login: str) -> Path:
    """Where the models of a login are kept."""
    return paths.state_home(env) / "claude-code-proxy" / "logins" / f"{login}-models.json"


def entries_of(models: object) -> dict[str, dict[str, Any]]:
    """What the rows of a list of models say of each: its format, and its limits in tokens."""
    return dict(_entries(models))


def read_offered(path: Path) -> dict[str, dict[str, Any]]:
    """What `offered_file` has; {} where it is not there or not what it was."""
    try:
        return entries_of(object_of(path.read_bytes()).get("data"))
    except OSError:
        return {}


def _entries(models: object) -> Iterator[tuple[str, dict[str, Any]]]:
    for row in models if isinstance(models, list) else ():
        if not isinstance(row, dict) or not isinstance(row.get("id"), str):
            continue
        endpoints = row.get("supported_endpoints")
        known = endpoints if isinstance(endpoints, list) else ()
        found = next((entry for endpoint, entry in _FORMATS if endpoint in known), None)
        if found is not None:
            yield row["id"], found | _limits(row)


def _limits(row: Mapping[str, Any]) -> dict[str, int]:
    """The window is what prompt and answer may have together, and the prompt has a limit of its own."""
    capabilities = row.get("capabilities")
    limits = capabilities.get("limits") if isinstance(capabilities, dict) else None
    if not isinstance(limits, dict):
        return {}
    window, prompt, output = (
        value if isinstance(value := limits.get(f"max_{name}_tokens"), int) and value > 0 else 0
        for name in ("context_window", "prompt", "output")
    )
    if prompt and output:
        window = min(window or prompt + output, prompt + output)
    return {key: value for key, value in (("context", window), ("max_tokens", output)) if value}
