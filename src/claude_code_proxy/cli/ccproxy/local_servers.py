"""Servers of models on this machine: whether they run, and whether they have the model."""

from __future__ import annotations

import json
import socket
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from claude_code_proxy.config.cc_proxy_json.session_models import known_of
from claude_code_proxy.core.hosts import is_loopback
from claude_code_proxy.core.providers import PRESETS
from claude_code_proxy.core.providers.registry import provider_at

if TYPE_CHECKING:
    from claude_code_proxy.config.cc_proxy_json.providers_file import Provider
    from claude_code_proxy.core.providers import Provider as Preset

LIMIT = 2.0
"""Seconds for each look: a server on this machine answers in milliseconds."""
_MOST = 1 << 20
_NAMED = 8


def not_running(provider: Provider) -> str:
    """What is wrong and what to do where a known local server is not there; "" in all other cases."""
    preset = _known_server(provider)
    if preset is None:
        return ""
    parts = urlsplit(provider.base_url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 80), timeout=LIMIT).close()
    except OSError:
        return f"{preset.title} is not running at {parts.scheme}://{parts.netloc}: {preset.start}"
    return ""


def lacks_model(provider: Provider) -> str:
    """What to say where a known local server does not have the provider's model; "" in all other cases."""
    preset = _known_server(provider)
    if preset is None:
        return ""
    names = _installed(provider)
    if not names or provider.model in names or f"{provider.model}:latest" in names:
        return ""
    has = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if names[_NAMED:] else "")
    return f'{preset.title} has no model "{provider.model}"; it has {has}'


def _known_server(provider: Provider) -> Preset | None:
    """What is known of the server, where it is one that people run themselves and it is on this machine."""
    known = PRESETS.get(provider.profile or provider_at(provider.base_url) or "")
    is_local = is_loopback(urlsplit(provider.base_url).hostname or "")
    return known if known is not None and known.start and is_local else None


def _installed(provider: Provider) -> list[str]:
    """The ids that the server lists; none when it does not answer in time, or wants a key."""
    parts = urlsplit(known_of(provider, provider.model).models_url)
    if parts.scheme != "http":
        return []
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=LIMIT)
    try:
        connection.request("GET", parts.path, headers={"authorization": "Bearer no-key"})
        listed = json.loads(connection.getresponse().read(_MOST))
        return [str(row["id"]) for row in listed["data"]]
    except (OSError, HTTPException, ValueError, LookupError, TypeError):
        return []
    finally:
        connection.close()
