"""A transport that asks nobody: it gives the responses of a capture, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from claude_code_proxy.http1 import Headers
from claude_code_proxy.http1.errors import ConnectError, CutError
from claude_code_proxy.server.capture.capture import chunk_bytes

Cut = Callable[[bytes], Iterable[bytes]]


class RecordedUpstream:
    """A `Transport` of the `upstream` part of a capture. `cut`: other pieces than those that came."""

    def __init__(self, upstream: Sequence[Mapping[str, Any]], cut: Cut | None = None) -> None:
        self._left = list(upstream)
        self._cut = cut

    async def request(
        self,
        method: Literal["GET", "POST"],
        url: str,  # noqa: ARG002 - what is asked does not matter
        headers: Headers,  # noqa: ARG002
        body: bytes = b"",  # noqa: ARG002
        **_how: Any,
    ) -> RecordedResponse:
        """The next response. Raises `ConnectError` where there was none, or where there are no more."""
        if method != "POST" or not self._left:
            raise ConnectError("the capture has no response to this request")
        sent = self._left.pop(0)
        if sent["error"]:
            raise ConnectError(sent["error"])
        pieces = [chunk_bytes(chunk) for chunk in sent["response"]["chunks"]]
        if self._cut is not None:
            pieces = [piece for piece in self._cut(b"".join(pieces)) if piece]
        return RecordedResponse(sent["response"], pieces)

    async def close(self) -> None:
        """Nothing is open."""


class RecordedResponse:
    """A `Response` of a capture, as `pieces`."""

    def __init__(self, flow: Mapping[str, Any], pieces: list[bytes]) -> None:
        self.status: int = flow["status"]
        self.headers = Headers(flow["headers"])
        self._pieces = pieces
        self._why: str = flow.get("why", "")

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters."""
        return (self.headers.get("content-type") or "").partition(";")[0].strip().lower()

    @property
    def at_end(self) -> bool:
        """Whether all was read."""
        return not self._pieces and not self._why

    async def read(self) -> bytes:
        """The next piece. Raises `CutError` where the response broke off."""
        if self._pieces:
            return self._pieces.pop(0)
        if self._why:
            raise CutError(self._why)
        return b""

    def close(self) -> None:
        """Nothing is open."""
