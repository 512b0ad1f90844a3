"""Statistics of this server process since its start. No prices."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime
from operator import add
from typing import Any

from claude_code_proxy.core.deltas import Usage

MAX_MODELS = 256
"""Model names counted by themselves; further ones are counted as `other`."""


class SessionStats:
    """Counters over all requests to models."""

    def __init__(self) -> None:
        self._started_at = datetime.now(UTC)
        self._started = time.monotonic()
        self._used = [0] * len(Usage._fields)
        self._models: Counter[str] = Counter()
        self._fallbacks: Counter[str] = Counter()
        self._routes: Counter[str] = Counter()

    def add(self, model: str, usage: Usage | None) -> None:
        """Count one request to `model` (a configured id) and what it used, if that became known."""
        models = self._models
        models[model if model in models or len(models) < MAX_MODELS else "other"] += 1
        if usage is not None:
            self._used = list(map(add, self._used, (*usage[:-1], usage.thinking_tokens or 0)))

    def add_fallback(self, failed: str, following: str) -> None:
        """Count that `following` had to answer in place of `failed` (both configured ids)."""
        move = f"{failed} -> {following}"
        self._fallbacks[
            move if move in self._fallbacks or len(self._fallbacks) < MAX_MODELS else "other"
        ] += 1

    def add_route(self, kind: str, asked: str, served: str) -> None:
        """Count that a rule for `kind` sent a request to `served` instead of `asked` (configured ids)."""
        move = f"{kind}: {asked} -> {served}"
        self._routes[move if move in self._routes or len(self._routes) < MAX_MODELS else "other"] += 1

    def snapshot(self) -> dict[str, Any]:
        """The counters as `GET /v1/stats` answers them; `total_tokens` includes cached ones."""
        used = Usage(*self._used)
        return {
            "session_start_time": self._started_at.isoformat(timespec="seconds"),
            "session_duration_seconds": round(time.monotonic() - self._started, 3),
            "total_requests": self._models.total(),
            "total_input_tokens": used.input_tokens,
            "total_output_tokens": used.output_tokens,
            "total_tokens": sum(used[:-1]),
            "total_cache_creation_tokens": used.cache_creation_input_tokens,
            "total_cache_read_tokens": used.cache_read_input_tokens,
            "total_reasoning_tokens": used.thinking_tokens,
            "model_usage_count": dict(self._models.most_common()),
            "fallback_count": dict(self._fallbacks.most_common()),
            "route_count": dict(self._routes.most_common()),
        }


add_session_stats = SessionStats.add
"""Count one request to a model and its tokens: `add_session_stats(stats, model, usage)`."""
