"""A streamed answer whose events pass through the user's response hook."""

from __future__ import annotations

from typing import Any

from claude_code_proxy.core import sse, wire
from claude_code_proxy.core.convert_answer import SendAgain
from claude_code_proxy.core.deltas import Usage
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.report import Report
from claude_code_proxy.server.hooks.user_hooks import Hooks
from claude_code_proxy.server.upstream.exchange import Translator

_UNSEEN = frozenset(("ping", "error"))  # nothing a model said, and nothing a hook may keep from the client


class HookedStream:
    """A `Translator` around another: its events, each as the hook wants it.

    An event that the hook leaves alone keeps its bytes, and so does what is no whole JSON event.
    """

    def __init__(self, inner: Translator, hooks: Hooks, report: Report) -> None:
        self._inner = inner
        self._hooks = hooks
        self._report = report

    @property
    def started(self) -> bool:
        """As the inner one."""
        return self._inner.started

    @property
    def finished(self) -> bool:
        """As the inner one."""
        return self._inner.finished

    @property
    def ending(self) -> bool:
        """As the inner one."""
        return self._inner.ending

    @property
    def error(self) -> ApiError | None:
        """As the inner one."""
        return self._inner.error

    @property
    def usage(self) -> Usage | None:
        """As the inner one."""
        return self._inner.usage

    @property
    def again(self) -> SendAgain | None:
        """As the inner one."""
        return self._inner.again

    @property
    def committed(self) -> bool:
        """As the inner one."""
        return self._inner.committed

    def feed(self, data: bytes) -> bytes:
        """Take the next read."""
        return self._hooked(self._inner.feed(data))

    def close(self) -> bytes:
        """The upstream ended its answer."""
        return self._hooked(self._inner.close())

    def begin(self) -> bytes:
        """What can be said before the upstream says anything."""
        return self._hooked(self._inner.begin())

    def progress(self) -> bytes:
        """An event that counts as progress: the proxy's own, so no hook sees it."""
        return self._inner.progress()

    def fail(self, error: ApiError) -> bytes:
        """The terminal error event, which no hook sees."""
        return self._inner.fail(error)

    def _hooked(self, events: bytes) -> bytes:
        out: list[bytes] = []
        start = 0
        for found in sse.END_OF_EVENT.finditer(events):
            out.append(self._event(events[start : found.end()]))
            start = found.end()
        return b"".join([*out, events[start:]])

    def _event(self, raw: bytes) -> bytes:
        data = sse.data_of(raw)
        try:
            event: Any = wire.loads_bounded(data)
        except wire.WireError:
            return raw
        if not isinstance(event, dict) or str(event.get("type")) in _UNSEEN or "type" not in event:
            return raw
        result = self._hooks.response(event, self._report)
        return raw if result == wire.loads(data) else sse.encode(result)
