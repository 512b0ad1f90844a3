"""Servers of models on this machine: whether they run, and whether they have the model."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from claude_code_proxy.config.cc_proxy_json.providers_file import Provider
from claude_code_proxy.config.cc_proxy_json.session_models import known_of
from claude_code_proxy.core.hosts import is_loopback
from claude_code_proxy.core.providers import PRESETS
from claude_code_proxy.core.providers import Provider as Preset
from claude_code_proxy.core.providers.registry import provider_at

LIMIT = 2.0
"""Seconds for each look: a server on this machine answers in milliseconds."""
_MOST = 1 << 20
_NAMED = 8
_WINDOWS = ("loaded_context_length", "context_length", "n_ctx", "max_model_len")


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


def loaded_window(provider: Provider) -> int | None:
    """The window, in tokens, with which a local server loaded the provider's model; None where it is silent.

    The model's own may be many times that: Ollama cuts what does not fit without a word.
    """
    preset = _known_server(provider)
    if preset is None:
        return None
    lists = [_asked(provider, preset.loaded)] if preset.loaded else []
    for listed in (*lists, _asked(provider, "")):
        for row in _rows(listed):
            named = {row.get(key) for key in ("id", "name", "model")} - {None}
            if named and not named & {provider.model, f"{provider.model}:latest"}:
                continue
            for key in _WINDOWS:
                if isinstance(row.get(key), int) and row[key] > 0:
                    return int(row[key])
    return _own_window(_asked(provider, preset.shown, {"model": provider.model})) if preset.shown else None


def _own_window(shown: Any) -> int | None:
    """The window that a model's file sets, else the largest that it can have: for one that is not loaded yet.

    Of Ollama's `/api/show`: `parameters` has lines such as `num_ctx 8192`, `model_info` a member
    `ARCHITECTURE.context_length`.
    """
    if not isinstance(shown, dict):
        return None
    lines = str(shown.get("parameters", "")).splitlines()
    told = [words[1] for line in lines if (words := line.split())[:1] == ["num_ctx"] and len(words) == 2]
    info = shown.get("model_info")
    if isinstance(info, dict):
        told += [str(value) for name, value in info.items() if name.endswith(".context_length")]
    return next(
        (int(text) for text in told if text.isascii() and text.isdigit() and 0 < len(text) < 10), None
    )


def _known_server(provider: Provider) -> Preset | None:
    """What is known of the server, where it is one that people run themselves and it is on this machine."""
    known = PRESETS.get(provider.profile or provider_at(provider.base_url) or "")
    is_local = is_loopback(urlsplit(provider.base_url).hostname or "")
    return known if known is not None and known.start and is_local else None


def _installed(provider: Provider) -> list[str]:
    """The ids that the server lists; none when it does not answer in time, or wants a key."""
    return [str(row["id"]) for row in _rows(_asked(provider, "")) if "id" in row]


def _asked(provider: Provider, path: str, question: Mapping[str, str] | None = None) -> Any:
    """The JSON at `path` of the server, "" for its list of models; None where there is none.

    With a `question` that is posted.
    """
    from http.client import HTTPConnection, HTTPException  # only for those who use such a server

    parts = urlsplit(known_of(provider, provider.model).models_url)
    if parts.scheme != "http":
        return None
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=LIMIT)
    try:
        body = json.dumps(question) if question is not None else None
        headers = {"authorization": "Bearer no-key"} | ({"content-type": "application/json"} if body else {})
        connection.request("POST" if body else "GET", path or parts.path, body, headers)
        return json.loads(connection.getresponse().read(_MOST))
    except (OSError, HTTPException, ValueError):
        return None
    finally:
        connection.close()


def _rows(listed: Any) -> list[dict[str, Any]]:
    """The models of a list, in whichever shape; llama.cpp's only one."""
    if not isinstance(listed, dict):
        return []
    rows = listed.get("data") or listed.get("models") or [listed.get("default_generation_settings")]
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
