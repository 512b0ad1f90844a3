"""How much may be under way in one process: requests, each key's share of them, bytes of bodies."""

from __future__ import annotations

from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.core import sealed_keys
from claude_code_proxy.core.errors.api import ApiError, invalid_request
from claude_code_proxy.server.caller.call import Call

_KEY_HEADERS = ("authorization", "x-api-key", sealed_keys.HEADER)


class Admission:
    """Counts what is under way. Each `enter` needs its `leave`, whatever it raised."""

    def __init__(self, settings: ServerSettings) -> None:
        self.calls: set[Call] = set()
        self.bytes = 0
        self._settings = settings
        # By a hash that only this process can make: nothing of a key is kept, and it goes with the request.
        self._by_key: dict[int, int] = {}

    @property
    def requests(self) -> int:
        """How many requests are under way."""
        return len(self.calls)

    @property
    def is_full(self) -> bool:
        """Whether another request would be refused."""
        return len(self.calls) >= self._settings.max_requests

    def enter(self, call: Call) -> None:
        """Let a request in. Raises `ApiError` 529 and 429 beyond a limit, 400 for an id that is too long."""
        settings = self._settings
        key = call.admitted_as = hash(tuple(map(call.headers.get, _KEY_HEADERS)))
        of_key = self._by_key[key] = self._by_key.get(key, 0) + 1
        self.calls.add(call)
        if len(self.calls) > settings.max_requests:
            raise _overloaded("requests", "max_requests")
        if of_key > settings.max_requests_per_key:
            raise ApiError(
                429,
                "rate_limit_error",
                f"more than {settings.max_requests_per_key} requests at once with this key "
                "(server setting max_requests_per_key)",
                headers={"retry-after": "1"},
            )
        if len(call.session_id) > settings.max_name_length:
            raise invalid_request(
                f"x-claude-code-session-id: must have at most {settings.max_name_length} characters "
                "(server setting max_name_length)"
            )

    def hold(self, call: Call, size: int) -> None:
        """Count `size` more bytes of a request's body. Raises `ApiError` 529 for too many."""
        if self.bytes + size > self._settings.max_bytes_in_flight:
            raise _overloaded("bytes of requests", "max_bytes_in_flight")
        self.bytes += size
        call.held += size

    def leave(self, call: Call) -> None:
        """A request is over."""
        self.calls.discard(call)
        self.bytes -= call.held
        left = self._by_key.pop(call.admitted_as) - 1
        if left:
            self._by_key[call.admitted_as] = left


def _overloaded(what: str, setting: str) -> ApiError:
    message = f"the proxy is at its limit of {what} ({setting}); try again"
    return ApiError(529, "overloaded_error", message)
