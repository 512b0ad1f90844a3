"""Which models are left alone for a while, because they are down or out of quota."""

from __future__ import annotations

import time
from collections.abc import Callable

from claude_code_proxy.core.bounded_map import BoundedMap
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.header_values import retry_delay

_OUTAGE = 30.0  # seconds to leave an upstream alone that is down or overloaded
_NO_QUOTA = 300.0  # seconds to leave it alone for a session that has no quota or credit there
_LONGEST = 900.0  # seconds; a provider may name any time
_MAX_REMEMBERED = 1024


class Cooldowns:
    """Which models are left alone until when: for everyone after an outage, for one session without quota."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: BoundedMap[tuple[str, str], float] = BoundedMap(_MAX_REMEMBERED)

    def is_cooling(self, model_id: str, session_id: str) -> bool:
        """Whether `model_id` is to be left alone by this session."""
        now = self._clock()
        return any(self._until.get((scope, model_id), 0.0) > now for scope in {"", session_id})

    def add(self, model_id: str, session_id: str, error: ApiError) -> None:
        """Leave `model_id` alone for a while because of `error`."""
        personal = error.status in (402, 429)
        if personal and not session_id:
            return  # another caller's key may well have quota
        wait = retry_delay(error.headers.get("retry-after", "")) or (_NO_QUOTA if personal else _OUTAGE)
        self._until[session_id if personal else "", model_id] = self._clock() + min(wait, _LONGEST)

    def clear(self, model_id: str, session_id: str) -> bool:
        """Forget what kept `model_id` away; whether there was anything."""
        found = [self._until.pop((scope, model_id), None) for scope in {"", session_id}]
        return any(until is not None for until in found)
