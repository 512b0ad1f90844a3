"""Windows that only a provider's own list of models knows, as OpenRouter's: asked for at the start, and kept.

A list takes a second and changes seldom: what it said is kept for a day below the user's state folder, by
address and model. No key is in it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from claude_code_proxy.cli.ccproxy.route import Route
from claude_code_proxy.config import paths
from claude_code_proxy.config.cc_proxy_json.providers_file import Provider
from claude_code_proxy.core.providers import PRESETS
from claude_code_proxy.core.providers.registry import provider_at
from claude_code_proxy.credentials.source import Credential

LIMIT = 2.5
"""Seconds for a list, which the start of a session waits for."""
_FRESH, _SILENT = 86_400.0, 3600.0
"""Seconds for which a window is kept, and that a list does not tell one, or cannot be had."""
_MOST = 500
Windows = dict[str, tuple[int, float]]
"""By address and model: the window in tokens, 0 for none, and until when that counts."""


def with_published_windows(
    route: Route, credentials: Mapping[str, Credential], env: Mapping[str, str], *, asks: bool
) -> Route:
    """The route with the windows of models that nothing else knows; `asks` False: only those that are kept.

    A provider is asked with its own key, once for all of its models. One that does not answer is left out.
    """
    models = {model.model_id: model for model in route.session.models}
    unknown = [
        row
        for row in route.rows
        if not row.context and row.model_id in models and _is_hosted(models[row.model_id].provider)
    ]
    if not unknown:
        return route
    file = paths.state_home(env) / "claude-code-proxy" / "windows.json"
    kept = _read(file)
    before = dict(kept)
    found: dict[str, int] = {}
    for row in unknown:
        model = models[row.model_id]
        place = _place(model.provider, model.name)
        if place not in kept and asks:
            names = [models[other.model_id].name for other in unknown if other.provider == row.provider]
            kept |= _asked(model.provider, names, credentials[model.provider.name], env)
        window = kept.get(place, (0, 0.0))[0]
        if window:
            found[row.model_id] = window
    if kept != before:
        _write(file, kept)
    rows = tuple(row._replace(context=found.get(row.model_id, row.context)) for row in route.rows)
    own = found.get(route.session.provider.model)
    limits = route.limits if route.limits.context else route.limits._replace(context=own)
    return replace(route, rows=rows, limits=limits)


def _is_hosted(provider: Provider) -> bool:
    """Whether it is one that we know, and no server of the user's own: `local_servers` asks those."""
    known = PRESETS.get(provider.profile or provider_at(provider.base_url) or "")
    return known is not None and not known.start


def _asked(provider: Provider, names: list[str], key: Credential, env: Mapping[str, str]) -> Windows:
    """What the provider's list says of its models `names`, and that it says nothing of the others."""
    from claude_code_proxy.cli.ccproxy.published_models import (
        NoListError,
        models_of,
    )  # only where it is needed

    try:
        listed = {model.id: model.window for model in models_of(provider, key, env, LIMIT)}
    except NoListError:
        listed = {}
    now = time.time()
    return {
        _place(provider, name): (window, now + (_FRESH if window else _SILENT))
        for name in names
        for window in (listed.get(name, 0),)
    }


def _place(provider: Provider, model: str) -> str:
    return f"{provider.base_url} {model}"


def _read(file: Path) -> Windows:
    """What is kept and still counts; nothing where the file is not there, or not ours."""
    now = time.time()
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
        return {
            str(place): (int(window), float(until)) for place, (window, until) in rows.items() if until > now
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write(file: Path, windows: Windows) -> None:
    """Keep the newest; a folder that cannot be written to costs a question at the next start."""
    newest = dict(sorted(windows.items(), key=lambda item: item[1][1])[-_MOST:])
    beside = file.with_suffix(".new")
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(newest), encoding="utf-8")
        beside.replace(file)
