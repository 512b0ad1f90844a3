"""Statistics of this server process since its start. No prices."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from claude_code_proxy.core.deltas import Usage

MAX_MODELS = 256
"""Model names counted by themselves; further ones are counted as `other`."""


class SessionStats:
    """Counters over all requests to models."""

    def __init__(self) -> None:
        self._started_at = datetime.now(UTC)
        self._started = time.monotonic()
        self._requests = 0
        self._tokens = dict.fromkeys(("input", "output", "cache_creation", "cache_read", "reasoning"), 0)
        self._models: Counter[str] = Counter()
        self._fallbacks: Counter[str] = Counter()
        self._routes: Counter[str] = Counter()

    def add(self, model: str, usage: Usage | None) -> None:
        """Count one request to `model` (a configured id) and what it used, if that became known."""
        self._requests += 1
        self._models[model if model in self._models or len(self._models) < MAX_MODELS else "other"] += 1
        if usage is None:
            return
        tokens = self._tokens
        tokens["input"] += usage.input_tokens
        tokens["output"] += usage.output_tokens
        tokens["cache_creation"] += usage.cache_creation_input_tokens
        tokens["cache_read"] += usage.cache_read_input_tokens
        tokens["reasoning"] += usage.thinking_tokens or 0

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
        tokens = self._tokens
        return {
            "session_start_time": self._started_at.isoformat(timespec="seconds"),
            "session_duration_seconds": round(time.monotonic() - self._started, 3),
            "total_requests": self._requests,
            "total_input_tokens": tokens["input"],
            "total_output_tokens": tokens["output"],
            "total_tokens": tokens["input"]
            + tokens["output"]
            + tokens["cache_creation"]
            + tokens["cache_read"],
            "total_cache_creation_tokens": tokens["cache_creation"],
            "total_cache_read_tokens": tokens["cache_read"],
            "total_reasoning_tokens": tokens["reasoning"],
            "model_usage_count": dict(self._models.most_common()),
            "fallback_count": dict(self._fallbacks.most_common()),
            "route_count": dict(self._routes.most_common()),
        }


def add_session_stats(stats: SessionStats, model: str, usage: Usage | None) -> None:
    """Count one request to `model` and its tokens in `stats`."""
    stats.add(model, usage)
