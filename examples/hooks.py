"""`claude-code-proxy serve --hooks hooks.py`: what no setting covers (docs/configuration.md, "Hooks")."""

from typing import Any


def request_hook(payload: dict[str, Any]) -> dict[str, Any]:
    """Keep what goes upstream from being stored there, whatever the client asks."""
    payload["store"] = False
    return payload


def response_hook(event: dict[str, Any]) -> dict[str, Any]:
    """Take trademark signs out of the text."""
    delta = event.get("delta")
    if isinstance(delta, dict) and isinstance(delta.get("text"), str):
        delta["text"] = delta["text"].replace("™", "")
    return event
