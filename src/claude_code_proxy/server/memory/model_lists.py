"""The models behind wildcard entries: the lists that their providers publish.

A list is asked with the caller's key only where that key can be for nobody else, and kept for minutes under
its address and profile, never under a key. What a key has opened is kept for callers on this machine only
(docs/operations.md).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.config.models_yaml.models_file import FixedModels, ModelsFile
from claude_code_proxy.core import sealed_keys, wire
from claude_code_proxy.core.bounded_map import BoundedMap
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.report import Report
from claude_code_proxy.http1 import Headers
from claude_code_proxy.server.caller.access import is_local
from claude_code_proxy.server.caller.call import Call
from claude_code_proxy.server.caller.caller_keys import CallerKeys
from claude_code_proxy.server.upstream import forwarded_headers
from claude_code_proxy.server.upstream.upstreams import Upstreams, moved

FRESH = 300.0
"""Seconds for which a list is kept."""
_FAILED = 30.0  # seconds for which a list that could not be had is not asked for again
_MOST_BYTES = 8 << 20
_MOST_MODELS = 5000
_MOST_UPSTREAMS = 8
_MOST_KEPT = 64
_LONGEST_ID = 200
_WINDOW_FIELDS = (
    "context_length", "context_window", "max_model_len", "max_context_length", "max_input_tokens",
)  # fmt: skip


class Listed(NamedTuple):
    """One model of a provider: its id there, its name for people, its window in tokens (0: not said)."""

    id: str
    name: str
    window: int


class Catalogue:
    """The lists of this process. Bounded, and without any key."""

    def __init__(
        self,
        models: ModelsFile | FixedModels,
        upstreams: Upstreams,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._models = models
        self._upstreams = upstreams
        self._seconds = seconds
        self._clock = clock
        self._kept: BoundedMap[tuple[str, str, bool], tuple[float, list[Listed]]] = BoundedMap(_MOST_KEPT)

    async def models(self, call: Call) -> list[tuple[str, ModelConfig, Listed]]:
        """What the wildcard entries offer to this caller: id, entry, what the provider says of it.

        Nothing for a caller without a key. Providers that do not answer in time are left out.
        """
        entries = [config for config in self._models.table.models if _has_catalogue(config)][:_MOST_UPSTREAMS]
        if not entries:
            return []
        bound = call.session_keys is not None or sealed_keys.HEADER in call.headers
        try:
            keys = CallerKeys(call)
        except ApiError:
            return []
        alone = len({_origin(config.api_base) for config in self._models.table.models}) == 1
        asks = []
        for config in entries:
            key = base = ""
            further: Mapping[str, str] = {}
            if keys.covers(config) and (alone or bound):
                with suppress(ApiError):  # of one whose key cannot be had
                    await keys.use(config)
                    key = "" if call.key_signing else call.key  # only requests for answers are signed
                    further, base = call.key_headers, call.key_base
            asks.append(self._list(config, key, further, base, local=is_local(call)))
        lists = await asyncio.gather(*asks)
        return [
            (model_id, config, listed)
            for config, found in zip(entries, lists, strict=True)
            for model_id, listed in _offered(config, found)
        ]

    async def _list(
        self, config: ModelConfig, key: str, further: Mapping[str, str], base: str, *, local: bool
    ) -> list[Listed]:
        place = (config.api_base, config.profile.name, bool(key))
        keeps = local or not key
        until, found = self._kept.get(place, (0.0, []))
        if keeps and self._clock() < until:
            return found
        try:
            found = await published(self._upstreams, config, key, self._seconds, further, base)
            fresh = FRESH
        except (ApiError, wire.WireError):
            found, fresh = [], _FAILED
        if keeps:
            self._kept[place] = (self._clock() + fresh, found)
        return found


async def published(
    upstreams: Upstreams,
    config: ModelConfig,
    key: str,
    seconds: float,
    further: Mapping[str, str] | None = None,
    base: str = "",
) -> list[Listed]:
    """The list that the provider of `config` publishes; `key` "" asks without one.

    `further` headers go along, and `base` is where to ask if not at the entry's own address.
    Raises `ApiError` and `WireError` where there is none within `seconds`.
    """
    sent = _headers(config, key)
    sent.update(further or {})
    url = moved(config.models_url, base)
    status, data = await upstreams.get(url, sent, seconds=seconds, limit=_MOST_BYTES)
    if status != 200:
        raise ApiError(502, "api_error", f"the response to a request for the list of models was {status}")
    return list(_read(wire.loads_bounded(data)))[:_MOST_MODELS]


def _headers(config: ModelConfig, key: str) -> Headers:
    if config.format == "openai":
        sent = forwarded_headers.converted_request(config, key, stream=False)
    else:
        bearer = {"authorization": f"Bearer {key}"}
        own = {"x-api-key": key} if config.is_anthropic else bearer
        sent = forwarded_headers.native_request(
            [(b"anthropic-version", b"2023-06-01")], own, config, key, Report()
        )
    if not key:
        for name in ("Authorization", "x-api-key", "api-key"):
            sent.discard(name)
    return sent


def _read(payload: Any) -> Iterator[Listed]:
    rows = payload.get("data", payload.get("models")) if isinstance(payload, dict) else payload
    for row in rows if isinstance(rows, list) else ():
        model_id = row.get("id", row.get("slug")) if isinstance(row, dict) else None  # slug: Codex
        if not isinstance(model_id, str) or not _is_sane(model_id):
            continue
        names: Iterable[Any] = (row.get("display_name"), row.get("name"))
        name = next((name for name in names if isinstance(name, str) and name.isprintable()), model_id)
        windows = (row.get(field) for field in _WINDOW_FIELDS)
        yield Listed(
            model_id, name[:_LONGEST_ID], next((n for n in windows if isinstance(n, int) and n > 0), 0)
        )


def _is_sane(model_id: str) -> bool:
    return 0 < len(model_id) <= _LONGEST_ID and model_id.isprintable() and not set(model_id) & {" ", "*"}


def _offered(config: ModelConfig, found: list[Listed]) -> Iterator[tuple[str, Listed]]:
    """The ids by which clients ask for the models `found`, so far as the entry covers them."""
    for listed in found:
        start = config.model_name[:-1]
        if listed.id.startswith(start) and listed.id != start:
            yield config.model_id[:-1] + listed.id[len(start) :], listed


def _has_catalogue(config: ModelConfig) -> bool:
    return config.is_wildcard and config.model_name.endswith("*") and bool(config.models_url)


def _origin(api_base: str) -> tuple[str, str]:
    parts = urlsplit(api_base)
    return parts.scheme.lower(), parts.netloc.lower()
